// Answers what Kubernetes itself would do with an object.
//
// Reads lines of `{"question":{"op":…}}` and writes them again with the answer, as
// crates/core/resource/tests/recorded keeps them. ../README.md says how to run it.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	k8sjson "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	_ "k8s.io/kubernetes/pkg/apis/coordination/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/discovery/install"
	_ "k8s.io/kubernetes/pkg/apis/events/install"
	"k8s.io/kubernetes/pkg/printers"
	printersinternal "k8s.io/kubernetes/pkg/printers/internalversion"
	"k8s.io/kubernetes/pkg/registry/apps/deployment"
	"k8s.io/kubernetes/pkg/registry/apps/replicaset"
	"k8s.io/kubernetes/pkg/registry/coordination/lease"
	"k8s.io/kubernetes/pkg/registry/core/configmap"
	"k8s.io/kubernetes/pkg/registry/core/endpoint"
	"k8s.io/kubernetes/pkg/registry/core/event"
	"k8s.io/kubernetes/pkg/registry/core/namespace"
	"k8s.io/kubernetes/pkg/registry/core/node"
	"k8s.io/kubernetes/pkg/registry/core/pod"
	"k8s.io/kubernetes/pkg/registry/core/secret"
	"k8s.io/kubernetes/pkg/registry/core/service"
	"k8s.io/kubernetes/pkg/registry/core/serviceaccount"
	"k8s.io/kubernetes/pkg/registry/discovery/endpointslice"
)

type question struct {
	Op     string          `json:"op"`
	Object json.RawMessage `json:"object"`
	Old    json.RawMessage `json:"old"`
	Live   json.RawMessage `json:"live"`
	Text   string          `json:"text"`
	Steps  []step          `json:"steps"`
}

type strategy interface {
	rest.RESTCreateStrategy
	rest.RESTUpdateStrategy
}

var strategies = map[string]strategy{
	"Deployment": deployment.Strategy, "ReplicaSet": replicaset.Strategy, "Lease": lease.Strategy,
	"ConfigMap": configmap.Strategy, "Endpoints": endpoint.Strategy, "Event": event.Strategy,
	"Namespace": namespace.Strategy, "Node": node.Strategy, "Pod": pod.Strategy, "Secret": secret.Strategy,
	"Service": service.Strategy, "ServiceAccount": serviceaccount.Strategy, "EndpointSlice": endpointslice.Strategy,
}

func versioned(data []byte) (runtime.Object, *schema.GroupVersionKind, error) {
	return legacyscheme.Codecs.UniversalDeserializer().Decode(data, nil, nil)
}

func internal(data []byte) (runtime.Object, *schema.GroupVersionKind, error) {
	o, gvk, err := versioned(data)
	if err != nil {
		return nil, nil, err
	}
	legacyscheme.Scheme.Default(o)
	i, err := legacyscheme.Scheme.ConvertToVersion(o, runtime.InternalGroupVersioner)
	return i, gvk, err
}

func back(o runtime.Object, gvk *schema.GroupVersionKind) (json.RawMessage, error) {
	v, err := legacyscheme.Scheme.ConvertToVersion(o, gvk.GroupVersion())
	if err != nil {
		return nil, err
	}
	v.GetObjectKind().SetGroupVersionKind(*gvk)
	return json.Marshal(v)
}

func status(err error) any {
	if s, ok := err.(apierrors.APIStatus); ok {
		status := s.Status()
		causes := []metav1.StatusCause{}
		if status.Details != nil && status.Details.Causes != nil {
			causes = status.Details.Causes
		}
		return map[string]any{"message": status.Message, "causes": causes, "code": status.Code}
	}
	return map[string]any{"error": err.Error()}
}

func answer(q question, generator *printers.HumanReadableGenerator) any {
	ctx := genericapirequest.WithNamespace(context.Background(), "default")
	switch q.Op {
	case "default":
		o, gvk, err := internal(q.Object)
		if err != nil {
			return status(err)
		}
		data, err := back(o, gvk)
		if err != nil {
			return status(err)
		}
		return map[string]any{"object": data}
	case "create", "update":
		o, gvk, err := internal(q.Object)
		if err != nil {
			return status(err)
		}
		s := strategies[gvk.Kind]
		m := o.(metav1.ObjectMetaAccessor).GetObjectMeta()
		if !s.NamespaceScoped() {
			ctx = genericapirequest.WithNamespace(context.Background(), "")
		} else if m.GetNamespace() != "" {
			ctx = genericapirequest.WithNamespace(context.Background(), m.GetNamespace())
		}
		if q.Op == "create" {
			rest.FillObjectMetaSystemFields(m)
			err = rest.BeforeCreate(s, ctx, o)
		} else {
			old, _, err2 := internal(q.Old)
			if err2 != nil {
				return status(err2)
			}
			err = rest.BeforeUpdate(s, ctx, o, old)
		}
		if err != nil {
			return status(err)
		}
		return map[string]any{}
	case "table":
		o, _, err := internal(q.Object)
		if err != nil {
			return status(err)
		}
		t, err := generator.GenerateTable(o, printers.GenerateOptions{Wide: true})
		if err != nil {
			return status(err)
		}
		if q.Text == "columns" {
			return map[string]any{"columns": t.ColumnDefinitions}
		}
		return map[string]any{"cells": t.Rows[0].Cells}
	case "strict":
		s := k8sjson.NewSerializerWithOptions(k8sjson.DefaultMetaFactory, legacyscheme.Scheme, legacyscheme.Scheme, k8sjson.SerializerOptions{Strict: true})
		_, _, err := s.Decode([]byte(q.Text), nil, nil)
		if err != nil {
			return map[string]any{"error": err.Error()}
		}
		return map[string]any{}
	case "strategic":
		o, _, err := versioned(q.Object)
		if err != nil {
			return status(err)
		}
		r, err := strategicpatch.StrategicMergePatch(q.Object, []byte(q.Text), o)
		if err != nil {
			return map[string]any{"error": err.Error()}
		}
		return map[string]any{"object": json.RawMessage(r)}
	case "three_way":
		o, _, err := versioned(q.Object)
		if err != nil {
			return status(err)
		}
		meta, err := strategicpatch.NewPatchMetaFromStruct(o)
		if err != nil {
			return status(err)
		}
		old := []byte(q.Old)
		if string(old) == "null" {
			old = nil
		}
		r, err := strategicpatch.CreateThreeWayMergePatch(old, q.Object, q.Live, meta, true)
		if err != nil {
			return map[string]any{"error": err.Error()}
		}
		return map[string]any{"object": json.RawMessage(r)}
	case "ownership":
		return ownership(q.Steps)
	case "quantity":
		v, err := resource.ParseQuantity(q.Text)
		if err != nil {
			return map[string]any{"error": err.Error()}
		}
		return map[string]any{"text": v.String(), "milli": v.MilliValue(), "value": v.Value()}
	case "labels":
		v, err := labels.Parse(q.Text)
		if err != nil {
			return map[string]any{"error": err.Error()}
		}
		return map[string]any{"text": v.String()}
	}
	return map[string]any{"error": "unknown op " + q.Op}
}

func main() {
	generator := printers.NewTableGenerator().With(printersinternal.AddHandlers)
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 64<<20)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for in.Scan() {
		var line struct {
			Question json.RawMessage `json:"question"`
		}
		var q question
		err := json.Unmarshal(in.Bytes(), &line)
		if err == nil {
			err = json.Unmarshal(line.Question, &q)
		}
		if err == nil {
			err = out.Encode(map[string]any{"question": line.Question, "answer": answer(q, generator)})
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
