package perdure_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/perdure/perdure-go"
)

func TestReadmeShowsTheExampleAsItIs(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("examples/hello/main.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "```go\n"+string(example)+"```\n") {
		t.Error("README.md does not contain examples/hello/main.go")
	}
}

func TestHelloExampleAnswers(t *testing.T) {
	program := filepath.Join(t.TempDir(), "hello")
	output, err := exec.Command("go", "build", "-o", program, "./examples/hello").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	conformance := workerProgram
	workerProgram = program
	t.Cleanup(func() { workerProgram = conformance })
	e := startStdio(t, perdure.MessagePack)
	got := result[map[string]any](t, final(t, e, newTask(t, "hello", "Ada")))
	if got["text"] != "Hello, Ada!" {
		t.Errorf("%v", got)
	}
	refused := failure(t, final(t, e, newTask(t, "hello", "")), "NoName")
	if refused.IsRetryable() {
		t.Errorf("%+v", refused)
	}
}

func TestConformanceScriptStartsTheWorker(t *testing.T) {
	script, err := filepath.Abs("conformance/run")
	if err != nil {
		t.Fatal(err)
	}
	conformance := workerProgram
	workerProgram = script
	t.Cleanup(func() { workerProgram = conformance })
	e := startStdio(t, perdure.JSON)
	if e.hello.Service != "conformance" {
		t.Errorf("%+v", e.hello)
	}
	_ = e.in.Close()
	if status := e.worker.waitExit(t); status != 0 {
		t.Errorf("status %d", status)
	}
}
