module perdure.dev/examples/goaudit

go 1.26
