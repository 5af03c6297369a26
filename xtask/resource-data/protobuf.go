package main

import (
	"bytes"
	"fmt"
	"reflect"
	"sort"
	"strings"

	apps "k8s.io/api/apps/v1"
	authentication "k8s.io/api/authentication/v1"
	authorization "k8s.io/api/authorization/v1"
	autoscaling "k8s.io/api/autoscaling/v1"
	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	events "k8s.io/api/events/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The messages a client may send. The meta kinds belong to every group, hence `*`.
var roots = map[string][]any{
	"*": {meta.DeleteOptions{}, meta.Status{}},
	"v1": {core.Namespace{}, core.Pod{}, core.Service{}, core.Endpoints{}, core.ConfigMap{}, core.Secret{},
		core.ServiceAccount{}, core.Event{}, core.Node{}, core.Binding{}},
	"apps/v1":                  {apps.Deployment{}, apps.ReplicaSet{}},
	"autoscaling/v1":           {autoscaling.Scale{}},
	"policy/v1":                {policy.Eviction{}},
	"discovery.k8s.io/v1":      {discovery.EndpointSlice{}},
	"events.k8s.io/v1":         {events.Event{}},
	"coordination.k8s.io/v1":   {coordination.Lease{}},
	"authentication.k8s.io/v1": {authentication.TokenReview{}, authentication.SelfSubjectReview{}, authentication.TokenRequest{}},
	"authorization.k8s.io/v1":  {authorization.SelfSubjectAccessReview{}},
}

// Types whose JSON form is not that of their message.
var special = map[reflect.Type]string{
	reflect.TypeOf(meta.Time{}):            "time",
	reflect.TypeOf(meta.MicroTime{}):       "microtime",
	reflect.TypeOf(meta.Duration{}):        "duration",
	reflect.TypeOf(resource.Quantity{}):    "quantity",
	reflect.TypeOf(intstr.IntOrString{}):   "intorstring",
	reflect.TypeOf(meta.FieldsV1{}):        "fields",
	reflect.TypeOf(runtime.RawExtension{}): "raw",
}

type table struct {
	numbers map[reflect.Type]int
	queue   []reflect.Type
}

// One line a message (`message NUMBER NAME`), each followed by its fields:
// `NUMBER JSON-NAME SHAPE TYPE`, where SHAPE is one of
// `one` (always shown), `omit` (hidden when zero), `many`, `map`, `inline`.
func protobufTable() []byte {
	all := &table{numbers: map[reflect.Type]int{}}
	var out bytes.Buffer
	versions := make([]string, 0, len(roots))
	for version := range roots {
		versions = append(versions, version)
	}
	sort.Strings(versions)
	for _, version := range versions {
		for _, root := range roots[version] {
			fmt.Fprintf(&out, "root %s %s %d\n", version, reflect.TypeOf(root).Name(), all.number(reflect.TypeOf(root)))
		}
	}
	for next := 0; next < len(all.queue); next++ {
		message := all.queue[next]
		fmt.Fprintf(&out, "message %d %s\n", next, message.Name())
		for i := 0; i < message.NumField(); i++ {
			if line := all.field(message.Field(i)); line != "" {
				fmt.Fprintln(&out, line)
			}
		}
	}
	return out.Bytes()
}

func (all *table) number(message reflect.Type) int {
	if number, seen := all.numbers[message]; seen {
		return number
	}
	number := len(all.queue)
	all.numbers[message] = number
	all.queue = append(all.queue, message)
	return number
}

func (all *table) field(field reflect.StructField) string {
	wire := strings.Split(field.Tag.Get("protobuf"), ",")
	if len(wire) < 2 {
		return ""
	}
	form := strings.Split(field.Tag.Get("json"), ",")
	name, shape := form[0], "one"
	for _, option := range form[1:] {
		switch option {
		case "omitempty":
			shape = "omit"
		case "inline":
			shape, name = "inline", "-"
		}
	}
	value := field.Type
	if value.Kind() == reflect.Pointer {
		value = value.Elem()
		if shape == "omit" {
			shape = "one"
		}
	}
	if value.Kind() == reflect.Struct && shape == "omit" {
		shape = "one"
	}
	switch {
	case value.Kind() == reflect.Map:
		shape = "map"
		value = value.Elem()
	case value.Kind() == reflect.Slice && value.Elem().Kind() != reflect.Uint8 && value.Name() == "":
		shape = "many"
		value = value.Elem()
	}
	return fmt.Sprintf("%s %s %s %s", wire[1], name, shape, all.kind(value))
}

func (all *table) kind(value reflect.Type) string {
	if value.Kind() == reflect.Pointer {
		value = value.Elem()
	}
	if name, ok := special[value]; ok {
		return name
	}
	switch value.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "int"
	case reflect.Float64:
		return "double"
	case reflect.Slice:
		if value.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		if value.Elem().Kind() == reflect.String {
			// A named list of strings is a message of its own with the items in field 1.
			return "strings"
		}
	case reflect.Struct:
		return fmt.Sprint(all.number(value))
	}
	panic("no protobuf form of " + value.String())
}
