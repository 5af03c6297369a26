package main

// Documents and, for each, the resources that are served with their subresources.
var served = map[string]map[string][]string{
	"api/v1": {
		"namespaces":      {"status", "finalize"},
		"pods":            {"status", "log", "exec", "attach", "portforward", "binding", "eviction"},
		"services":        {"status"},
		"endpoints":       {},
		"configmaps":      {},
		"secrets":         {},
		"serviceaccounts": {"token"},
		"events":          {},
		"nodes":           {"status"},
	},
	"apis/apps/v1": {
		"deployments": {"status", "scale"},
		"replicasets": {"status", "scale"},
	},
	"apis/discovery.k8s.io/v1":      {"endpointslices": {}},
	"apis/events.k8s.io/v1":         {"events": {}},
	"apis/coordination.k8s.io/v1":   {"leases": {}},
	"apis/authentication.k8s.io/v1": {"tokenreviews": {}, "selfsubjectreviews": {}},
	"apis/authorization.k8s.io/v1":  {"selfsubjectaccessreviews": {}},
}
