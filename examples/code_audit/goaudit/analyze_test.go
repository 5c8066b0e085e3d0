package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

type expectation struct {
	FileReport
	Error *struct {
		Line int `json:"line"`
	} `json:"error"`
}

func expectations(t *testing.T) map[string]expectation {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "fixtures", "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]expectation
	if err := json.Unmarshal(content, &all); err != nil {
		t.Fatal(err)
	}
	for name := range all {
		if !strings.HasSuffix(name, ".go") {
			delete(all, name)
		}
	}
	return all
}

func TestFixturesAreMeasuredAsTheOtherLanguagesMeasureThem(t *testing.T) {
	all := expectations(t)
	if len(all) != 3 {
		t.Fatalf("expected three Go fixtures, found %d", len(all))
	}
	for name, expected := range all {
		t.Run(name, func(t *testing.T) {
			source, err := os.ReadFile(filepath.Join("..", "fixtures", name))
			if err != nil {
				t.Fatal(err)
			}
			report, err := analyzeSource(name, source)
			var refused *SourceError
			switch {
			case expected.Error != nil:
				if !errors.As(err, &refused) || refused.Line != expected.Error.Line {
					t.Fatalf("expected an error on line %d, got %v", expected.Error.Line, err)
				}
				if refused.Message == "" {
					t.Fatal("the error says nothing")
				}
			case err != nil:
				t.Fatal(err)
			case !reflect.DeepEqual(report, expected.FileReport):
				t.Fatalf("got  %+v\nwant %+v", report, expected.FileReport)
			}
		})
	}
}

func TestFilesAtTheEdge(t *testing.T) {
	tooDeep := "package p\nvar x = " + strings.Repeat("(", 200_000) + "1"
	for name, source := range map[string]string{
		"empty":     "",
		"zeros":     "\x00\x00",
		"not UTF-8": "package p\n\n// \xff\xfe\n",
		"too deep":  tooDeep,
	} {
		t.Run(name, func(t *testing.T) {
			var refused *SourceError
			if _, err := analyzeSource("edge.go", []byte(source)); !errors.As(err, &refused) {
				t.Fatalf("expected a SourceError, got %v", err)
			}
		})
	}
}

func TestALineDirectiveMovesNoLine(t *testing.T) {
	source := "package p\n\n//line other.y:900\nfunc f() {\n}\n"
	report, err := analyzeSource("generated.go", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	if function := report.Functions[0]; function.Line != 4 || function.Length != 2 {
		t.Fatalf("got %+v", function)
	}
}
