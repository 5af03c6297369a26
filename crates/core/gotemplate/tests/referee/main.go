// Referee answers what Go's own text/template and fmt make of a list of cases.
//
// It reads one JSON case per line and writes one JSON answer per line.
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/template"
)

type testCase struct {
	Kind       string      `json:"kind"`
	Templates  [][2]string `json:"templates"`
	Execute    string      `json:"execute"`
	Data       *data       `json:"data"`
	MissingKey string      `json:"missing_key"`
	Format     string      `json:"format"`
	Args       []*data     `json:"args"`
}

type answer struct {
	Out   string `json:"out"`
	Error string `json:"error"`
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "speed" {
		speed()
		return
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 1<<28)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for in.Scan() {
		var c testCase
		if err := json.Unmarshal(in.Bytes(), &c); err != nil {
			panic(err)
		}
		if err := encoder.Encode(c.answer()); err != nil {
			panic(err)
		}
	}
}

func (c *testCase) answer() (a answer) {
	defer func() {
		if r := recover(); r != nil {
			a = answer{Error: fmt.Sprint("PANIC ", r)}
		}
	}()
	switch c.Kind {
	case "template":
		out, err := c.render()
		if err != nil {
			return answer{Error: hex.EncodeToString([]byte(err.Error()))}
		}
		return answer{Out: hex.EncodeToString([]byte(out))}
	case "printf":
		return answer{Out: hex.EncodeToString([]byte(fmt.Sprintf(c.Format, values(c.Args)...)))}
	case "print":
		return answer{Out: hex.EncodeToString([]byte(fmt.Sprint(values(c.Args)...)))}
	case "println":
		return answer{Out: hex.EncodeToString([]byte(fmt.Sprintln(values(c.Args)...)))}
	}
	panic("unknown kind " + c.Kind)
}

func (c *testCase) render() (string, error) {
	root := template.New("gotpl").Option("missingkey=" + c.MissingKey)
	functions := functionMap()
	functions["include"] = func(name string, data any) (string, error) {
		var out strings.Builder
		err := root.ExecuteTemplate(&out, name, data)
		return out.String(), err
	}
	root.Funcs(functions)
	for _, t := range c.Templates {
		if _, err := root.New(t[0]).Parse(t[1]); err != nil {
			return "", err
		}
	}
	var out strings.Builder
	err := root.ExecuteTemplate(&out, c.Execute, c.Data.value())
	return out.String(), err
}
