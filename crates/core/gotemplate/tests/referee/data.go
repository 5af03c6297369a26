package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// data is a value with its Go kind.
type data struct {
	Kind    string  `json:"k"`
	Text    string  `json:"v"`
	Items   []*data `json:"i"`
	Entries []entry `json:"e"`
	Element string  `json:"t"`
}

type entry struct {
	Key   string `json:"k"`
	Value *data  `json:"v"`
}

// Values is a named map with methods.
type Values map[string]any

func (v Values) Keys() []string {
	keys := []string{}
	for key := range v {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

func (v Values) Pick(name string, fallback any) any {
	if value, ok := v[name]; ok {
		return value
	}
	return fallback
}

// Server is a struct with methods.
type Server struct {
	Name   string
	Port   int
	Tags   []string
	Extra  map[string]any
	hidden string
}

func (s Server) Greet(name string) string { return "hello " + name + " from " + s.Name }

func (s Server) Fail() (string, error) { return "", errors.New("server " + s.Name + " failed") }

// Level is a named integer that prints as a word.
type Level int

func (l Level) String() string { return "level " + strconv.Itoa(int(l)) }

func values(list []*data) []any {
	out := make([]any, len(list))
	for i, d := range list {
		out[i] = d.value()
	}
	return out
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func typed[T any](list []*data) []T {
	out := []T{}
	for _, d := range list {
		out = append(out, d.value().(T))
	}
	return out
}

func typedMap[T any](entries []entry) map[string]T {
	out := map[string]T{}
	for _, e := range entries {
		value, _ := e.Value.value().(T)
		out[e.Key] = value
	}
	return out
}

func (d *data) value() any {
	switch d.Kind {
	case "nil":
		return nil
	case "bool":
		return d.Text == "true"
	case "int":
		return must(strconv.Atoi(d.Text))
	case "int32":
		return int32(must(strconv.ParseInt(d.Text, 10, 32)))
	case "int64":
		return must(strconv.ParseInt(d.Text, 10, 64))
	case "uint":
		return uint(must(strconv.ParseUint(d.Text, 10, 64)))
	case "uint8":
		return uint8(must(strconv.ParseUint(d.Text, 10, 8)))
	case "uint32":
		return uint32(must(strconv.ParseUint(d.Text, 10, 32)))
	case "uint64":
		return must(strconv.ParseUint(d.Text, 10, 64))
	case "float32":
		return float32(must(strconv.ParseFloat(d.Text, 32)))
	case "float64":
		return must(strconv.ParseFloat(d.Text, 64))
	case "complex128":
		return complex(must(strconv.ParseFloat(d.Text, 64)), must(strconv.ParseFloat(d.Element, 64)))
	case "string":
		return string(must(hex.DecodeString(d.Text)))
	case "bytes":
		return must(hex.DecodeString(d.Text))
	case "list":
		switch d.Element {
		case "any":
			return append([]any{}, values(d.Items)...)
		case "string":
			return typed[string](d.Items)
		case "int":
			return typed[int](d.Items)
		case "nil":
			return []any(nil)
		}
	case "map":
		switch d.Element {
		case "any":
			return typedMap[any](d.Entries)
		case "string":
			return typedMap[string](d.Entries)
		case "Values":
			return Values(typedMap[any](d.Entries))
		case "nil":
			return map[string]any(nil)
		}
	case "server", "pointer":
		s := Server{Name: d.Text, Port: 80, Tags: []string{"a", "b"}, Extra: map[string]any{"x": 1.5}, hidden: "h"}
		if d.Kind == "pointer" {
			return &s
		}
		return s
	case "level":
		return Level(must(strconv.Atoi(d.Text)))
	case "func":
		return functionMap()[d.Text]
	}
	panic("unknown data " + d.Kind + " " + d.Element)
}

func functionMap() map[string]any {
	return map[string]any{
		"upper":  strings.ToUpper,
		"add":    func(a, b int) int { return a + b },
		"half":   func(a float64) float64 { return a / 2 },
		"big":    func(a int64) int64 { return a * 3 },
		"byte":   func(a uint8) uint8 { return a },
		"yes":    func(a bool) string { return fmt.Sprint("yes ", a) },
		"list":   func(items ...any) []any { return items },
		"count":  func(items []string) int { return len(items) },
		"size":   func(m map[string]any) int { return len(m) },
		"sum":    func(label string, numbers ...int) string { return fmt.Sprint(label, numbers) },
		"same":   func(value any) any { return value },
		"none":   func() any { return nil },
		"fail":   func(text string) (string, error) { return "", errors.New(text) },
		"wrap":   func(text string) (string, error) { return "", fmt.Errorf("wrapped: %w", errors.New(text)) },
		"kind":   func(value any) string { return fmt.Sprintf("%T", value) },
		"dict": func(pairs ...any) map[string]any {
			out := map[string]any{}
			for i := 0; i+1 < len(pairs); i += 2 {
				out[fmt.Sprint(pairs[i])] = pairs[i+1]
			}
			return out
		},
	}
}
