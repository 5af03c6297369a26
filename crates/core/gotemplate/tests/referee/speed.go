package main

import (
	_ "embed"
	"fmt"
	"strings"
	"text/template"
	"time"
)

//go:embed speed.tpl
var speedTemplate string

func speedData() any {
	m := func(pairs ...any) map[string]any {
		out := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			out[pairs[i].(string)] = pairs[i+1]
		}
		return out
	}
	env := m()
	for i := 0; i < 12; i++ {
		env[fmt.Sprintf("VARIABLE_%d", i)] = fmt.Sprintf("value <%d>", i)
	}
	extra := []any{}
	for i := 0; i < 10; i++ {
		extra = append(extra, float64(i))
	}
	return m("Release", m("Name", "release", "Service", "Helm"),
		"Chart", m("Name", "web", "AppVersion", "1.2.3"),
		"Values", m("replicaCount", 2.0, "autoscaling", m("enabled", false),
			"image", m("repository", "nginx", "tag", "", "pullPolicy", "Always"),
			"labels", m("team", "a", "tier", "front"),
			"imagePullSecrets", []any{m("name", "one"), m("name", "two")},
			"ports", []any{m("name", "http", "port", 80.0, "protocol", "TCP"), m("name", "dns", "port", 53.0, "protocol", "UDP")},
			"env", env, "resources", m("limits", m("cpu", "100m", "memory", "1Gi")), "extra", extra))
}

// speed prints the time of one render, in microseconds.
func speed() {
	root := template.New("gotpl").Option("missingkey=zero")
	functions := functionMap()
	functions["include"] = func(name string, data any) (string, error) {
		var out strings.Builder
		err := root.ExecuteTemplate(&out, name, data)
		return out.String(), err
	}
	template.Must(root.Funcs(functions).New("a").Parse(speedTemplate))
	data := speedData()
	length := 0
	render := fastest(func() {
		var out strings.Builder
		if err := root.ExecuteTemplate(&out, "a", data); err != nil {
			panic(err)
		}
		length = out.Len()
	})
	parse := fastest(func() { template.Must(template.New("gotpl").Funcs(functions).Parse(speedTemplate)) })
	fmt.Printf("go: render %v, parse %v, %d bytes\n", render, parse, length)
}

// fastest is the time of one call in the fastest of many batches.
func fastest(call func()) time.Duration {
	const batches, calls = 2000, 3
	best := time.Hour
	for range batches {
		start := time.Now()
		for range calls {
			call()
		}
		best = min(best, time.Since(start)/calls)
	}
	return best
}
