// Renders one chart many times in one process with Helm's own library.
//
// Usage: inprocess CHART TIMES
//
// It prints the processor's microseconds that one render took: first with the chart loaded
// each time, then with the chart loaded once; then how many bytes came out.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
)

func main() {
	path := os.Args[1]
	times, err := strconv.Atoi(os.Args[2])
	check(err)
	length := 0
	loadedEachTime := each(times, func() { length = render(load(path)) })
	loaded := make([]*chart.Chart, times)
	for i := range loaded {
		// A render changes the chart that it is given.
		loaded[i] = load(path)
	}
	next := 0
	loadedOnce := each(times, func() { render(loaded[next]); next++ })
	fmt.Println(loadedEachTime, loadedOnce, length)
}

func load(path string) *chart.Chart {
	chart, err := loader.Load(path)
	check(err)
	return chart
}

func render(chart *chart.Chart) int {
	values := map[string]any{}
	check(chartutil.ProcessDependencies(chart, values))
	options := common.ReleaseOptions{Name: "release-name", Namespace: "default", Revision: 1, IsInstall: true}
	top, err := util.ToRenderValues(chart, values, options, common.DefaultCapabilities.Copy())
	check(err)
	files, err := engine.Render(chart, top)
	check(err)
	for name := range files {
		if strings.HasSuffix(name, "NOTES.txt") {
			delete(files, name)
		}
	}
	hooks, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	check(err)
	var text strings.Builder
	for _, manifest := range manifests {
		fmt.Fprintf(&text, "---\n# Source: %s\n%s\n", manifest.Name, manifest.Content)
	}
	for _, hook := range hooks {
		fmt.Fprintf(&text, "---\n# Source: %s\n%s\n", hook.Path, hook.Manifest)
	}
	return text.Len()
}

// each is the processor's microseconds of one call, the collection of its garbage included.
func each(times int, call func()) int64 {
	began := used()
	for range times {
		call()
	}
	return (used() - began).Microseconds() / int64(times)
}

func used() time.Duration {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
