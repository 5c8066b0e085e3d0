//go:build race

package perdure_test

// buildFlags make the worker of a -race test run look for races too.
var buildFlags = []string{"-race"}
