//go:build !race

package perdure_test

var buildFlags []string
