package main

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// step is one write to an object, in the order of a list of them.
type step struct {
	Do          string          `json:"do"`
	Manager     string          `json:"manager"`
	Subresource string          `json:"subresource"`
	Force       bool            `json:"force"`
	Object      json.RawMessage `json:"object"`
}

// resets says which fields a write to the object itself cannot change.
func resets(gvk schema.GroupVersionKind) map[fieldpath.APIVersion]fieldpath.Filter {
	s, ok := strategies[gvk.Kind].(rest.ResetFieldsStrategy)
	if !ok {
		return nil
	}
	return fieldpath.NewExcludeFilterSetMap(s.GetResetFields())
}

// ownership carries the steps out one after another and answers with what each left.
func ownership(steps []step) any {
	var live runtime.Object
	answers := []any{}
	for _, s := range steps {
		next, err := carryOut(s, live)
		if err != nil {
			answers = append(answers, status(err))
			continue
		}
		live = next
		data, err := json.Marshal(live)
		if err != nil {
			return status(err)
		}
		answers = append(answers, map[string]any{"object": timeless(data)})
	}
	return answers
}

func carryOut(s step, live runtime.Object) (runtime.Object, error) {
	wanted := &unstructured.Unstructured{}
	if err := json.Unmarshal(s.Object, &wanted.Object); err != nil {
		return nil, err
	}
	gvk := wanted.GroupVersionKind()
	before := live
	if before == nil {
		empty, err := legacyscheme.Scheme.New(gvk)
		if err != nil {
			return nil, err
		}
		before = empty
	}
	filter := resets(gvk)
	if s.Subresource != "" {
		filter = nil
	}
	manager, err := managedfields.NewDefaultFieldManager(
		applyconfigurations.NewTypeConverter(legacyscheme.Scheme), legacyscheme.Scheme, legacyscheme.Scheme, legacyscheme.Scheme,
		gvk, gvk.GroupVersion(), s.Subresource, filter)
	if err != nil {
		return nil, err
	}
	if s.Do == "apply" {
		next, err := manager.Apply(before, wanted, s.Manager, s.Force)
		if err != nil {
			return nil, err
		}
		return named(next, gvk), nil
	}
	object, _, err := versioned(s.Object)
	if err != nil {
		return nil, err
	}
	legacyscheme.Scheme.Default(object)
	next, err := manager.Update(before, object, s.Manager)
	if err != nil {
		return nil, err
	}
	return named(next, gvk), nil
}

// named gives the object the mark of something that lives: its kind and an identity.
func named(o runtime.Object, gvk schema.GroupVersionKind) runtime.Object {
	o.GetObjectKind().SetGroupVersionKind(gvk)
	if m, err := meta.Accessor(o); err == nil {
		m.SetUID("1")
	}
	return o
}

// timeless takes the times out of managedFields.
func timeless(data []byte) any {
	var object map[string]any
	if json.Unmarshal(data, &object) != nil {
		return nil
	}
	entries, _, _ := unstructured.NestedSlice(object, "metadata", "managedFields")
	for _, entry := range entries {
		delete(entry.(map[string]any), "time")
	}
	if entries != nil {
		_ = unstructured.SetNestedSlice(object, entries, "metadata", "managedFields")
	}
	return object
}
