// Goaudit is a service with one activity: it measures Go files for the code_audit example.
package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	perdure "github.com/perdure/perdure-go"
)

func main() {
	service := perdure.NewService("goaudit")
	perdure.Activity2(service, "analyze", analyze)
	if err := service.Run(context.Background()); err != nil {
		slog.Error("the service stopped", "error", err)
		os.Exit(1)
	}
}

// analyze measures one file of a tree on this machine.
func analyze(_ context.Context, root, path string) (FileReport, error) {
	defer witness(path)()
	source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil {
		return FileReport{}, unreadable(err)
	}
	report, err := analyzeSource(path, source)
	if refused, isRefused := errors.AsType[*SourceError](err); isRefused {
		return report, perdure.NewError("ParseError", refused.Message, perdure.NonRetryable(),
			perdure.WithDetails(map[string]int{"line": refused.Line}))
	}
	return report, err
}

// unreadable leaves the path out of the message: no report shall hold a path of this machine.
func unreadable(err error) error {
	message := err.Error()
	if failed, isPathError := errors.AsType[*fs.PathError](err); isPathError {
		message = failed.Err.Error()
	}
	return perdure.NewError("UnreadableFileError", message, perdure.NonRetryable())
}
