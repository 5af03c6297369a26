package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

const schemaPrefix = "#/components/schemas/"

// Media types that the server neither reads nor writes.
var unspoken = []string{"application/cbor", "application/cbor-seq", "application/apply-patch+cbor", "application/apply-patch+yaml",
	"application/vnd.kubernetes.protobuf", "application/vnd.kubernetes.protobuf;stream=watch", "application/yaml"}

func writeDocuments(source, target string) {
	for name, resources := range served {
		data, err := os.ReadFile(filepath.Join(source, strings.ReplaceAll(name, "/", "__")+"_openapi.json"))
		check(err)
		var document map[string]any
		check(json.Unmarshal(data, &document))
		trim(document, name, resources)
		var text strings.Builder
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		check(encoder.Encode(document))
		writeGzip(filepath.Join(target, strings.ReplaceAll(name, "/", "_")+".json.gz"), []byte(strings.TrimSpace(text.String())))
	}
}

func trim(document map[string]any, name string, resources map[string][]string) {
	paths := document["paths"].(map[string]any)
	for path, item := range paths {
		if !isServed(path, name, resources) {
			delete(paths, path)
			continue
		}
		dropMediaTypes(item)
	}
	components := document["components"].(map[string]any)
	all := components["schemas"].(map[string]any)
	reached := map[string]any{}
	reach(paths, all, reached)
	components["schemas"] = reached
	document["info"] = map[string]any{"title": "Kubernetes", "version": "v1.34.2"}
}

func isServed(path, name string, resources map[string][]string) bool {
	rest := strings.TrimPrefix(path, "/"+name+"/")
	if rest == path || rest == "" || strings.HasPrefix(rest, "watch/") {
		return false
	}
	if after := strings.TrimPrefix(rest, "namespaces/{namespace}/"); after != rest {
		rest = after
	}
	parts := strings.Split(rest, "/")
	subresources, ok := resources[parts[0]]
	if !ok || len(parts) > 3 {
		return false
	}
	if len(parts) < 3 {
		return true
	}
	for _, subresource := range subresources {
		if parts[2] == subresource {
			return true
		}
	}
	return false
}

func dropMediaTypes(node any) {
	switch node := node.(type) {
	case map[string]any:
		if content, ok := node["content"].(map[string]any); ok {
			for _, mediaType := range unspoken {
				delete(content, mediaType)
			}
		}
		for _, child := range node {
			dropMediaTypes(child)
		}
	case []any:
		for _, child := range node {
			dropMediaTypes(child)
		}
	}
}

func reach(node any, all, reached map[string]any) {
	switch node := node.(type) {
	case map[string]any:
		if reference, ok := node["$ref"].(string); ok {
			name := strings.TrimPrefix(reference, schemaPrefix)
			if _, seen := reached[name]; !seen && all[name] != nil {
				reached[name] = all[name]
				reach(all[name], all, reached)
			}
		}
		for _, child := range node {
			reach(child, all, reached)
		}
	case []any:
		for _, child := range node {
			reach(child, all, reached)
		}
	}
}
