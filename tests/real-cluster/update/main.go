// Command update writes ../go.mod anew: k8s.io/kubernetes at the version given,
// and a replace line for each of its staging modules, which its own go.mod
// names by folders that no module proxy has.
//
//	go run ./update v1.34.4 && go mod tidy
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"sort"
	"strings"
)

const kubernetes = "k8s.io/kubernetes"

func main() {
	if len(os.Args) != 2 || !strings.HasPrefix(os.Args[1], "v1.") {
		fmt.Fprintln(os.Stderr, "usage: go run ./update v1.MINOR.PATCH")
		os.Exit(2)
	}
	if err := update(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func update(version string) error {
	var module struct{ GoMod string }
	if err := goJSON(&module, "mod", "download", "-json", kubernetes+"@"+version); err != nil {
		return err
	}
	var file struct {
		Go      string
		Replace []struct{ Old, New struct{ Path string } }
	}
	if err := goJSON(&file, "mod", "edit", "-json", module.GoMod); err != nil {
		return err
	}
	staging := strings.Replace(version, "v1.", "v0.", 1)
	var lines []string
	for _, replace := range file.Replace {
		if strings.HasPrefix(replace.New.Path, "./staging/") {
			lines = append(lines, fmt.Sprintf("\t%s => %s %s\n", replace.Old.Path, replace.Old.Path, staging))
		}
	}
	if len(lines) == 0 {
		return fmt.Errorf("`%s` %s names no staging module", kubernetes, version)
	}
	sort.Strings(lines)
	text := fmt.Sprintf("// Written by `go run ./update %s`.\nmodule landfall.dev/real-cluster\n\ngo %s\n\nrequire %s %s\n\nreplace (\n%s)\n",
		version, file.Go, kubernetes, version, strings.Join(lines, ""))
	return os.WriteFile("go.mod", []byte(text), 0o644)
}

func goJSON(into any, args ...string) error {
	var problem bytes.Buffer
	command := exec.Command("go", args...)
	// The go.mod that is about to be replaced must not stop its replacement.
	command.Dir = os.TempDir()
	command.Stderr = &problem
	out, err := command.Output()
	if err != nil {
		return fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, problem.String())
	}
	return json.Unmarshal(out, into)
}
