package perdure_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/perdure/perdure-go"
	"github.com/perdure/perdure-go/internal/envelope"
	"github.com/perdure/perdure-go/internal/payload"
)

// patience bounds every wait of the tests; it is only ever used up by a failure.
const patience = 15 * time.Second

var workerProgram string

// TestMain builds the conformance worker, which the tests start as real processes.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		folder, err := os.MkdirTemp("", "perdure-go-test")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(folder) }()
		workerProgram = filepath.Join(folder, "worker")
		build := exec.Command("go", append(append([]string{"build"}, buildFlags...),
			"-o", workerProgram, "./conformance")...)
		if output, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "the conformance worker does not build: %v\n%s", err, output)
			return 1
		}
		return m.Run()
	}())
}

// engine is a stand-in for Perdure's engine on one transport.
type engine interface {
	submit(t testing.TB, task envelope.Task)
	control(t testing.TB, frame envelope.Control)
	// received gives every reply and every frame about the worker in the order of arrival.
	received() <-chan arrival
	// process is the worker's.
	process() *workerProcess
}

// arrival is a reply, or a hello, liveness or draining with its own fields.
type arrival struct {
	envelope.Reply
	Instance    string
	Concurrency int64
	Tasks       []string
}

type workerProcess struct {
	command *exec.Cmd
	log     *logBuffer
	exited  chan struct{}
}

func startWorker(t testing.TB, environment ...string) *exec.Cmd {
	t.Helper()
	command := exec.Command(workerProgram)
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "PERDURE_") {
			command.Env = append(command.Env, pair)
		}
	}
	command.Env = append(command.Env, environment...)
	return command
}

// watch starts the command and ends it with the test.
func watch(t testing.TB, command *exec.Cmd) *workerProcess {
	t.Helper()
	process := &workerProcess{command: command, log: &logBuffer{}, exited: make(chan struct{})}
	command.Stderr = process.log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = command.Wait()
		close(process.exited)
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		<-process.exited
		if t.Failed() {
			t.Logf("the worker's log:\n%s", process.log.String())
		}
	})
	return process
}

// waitExit gives the exit status.
func (p *workerProcess) waitExit(t testing.TB) int {
	t.Helper()
	select {
	case <-p.exited:
		return p.command.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatal("the worker does not exit")
		return -1
	}
}

// waitLog waits until the log has the text so often; the log comes by a pipe of its own.
func (p *workerProcess) waitLog(t testing.TB, text string, count int) {
	t.Helper()
	for deadline := time.Now().Add(patience); strings.Count(p.log.String(), text) < count; {
		if time.Now().After(deadline) {
			t.Fatalf("the log does not have %q %d times", text, count)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

var taskCount atomic.Int64

func newTask(t testing.TB, activity string, arguments ...any) envelope.Task {
	t.Helper()
	if arguments == nil {
		arguments = []any{}
	}
	encoded, err := perdure.NewValue(arguments)
	if err != nil {
		t.Fatal(err)
	}
	number := taskCount.Add(1)
	return envelope.Task{
		Task:  fmt.Sprintf("019abcdef01273458678abcdef012345.%d.1", number),
		Nonce: fmt.Sprintf("nonce-%d", number), Activity: activity, Namespace: "default",
		Attempt: 1, Arguments: encoded,
	}
}

// next waits for one arrival.
func next(t testing.TB, e engine) arrival {
	t.Helper()
	select {
	case got, open := <-e.received():
		if !open {
			t.Fatal("the worker has closed the connection")
		}
		return got
	case <-time.After(patience):
		t.Fatal("nothing arrives from the worker")
	}
	return arrival{}
}

// await skips to the next arrival of a kind.
func await(t testing.TB, e engine, kind string) arrival {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if got := next(t, e); got.Frame == kind {
			return got
		}
	}
	t.Fatalf("no %s arrives", kind)
	return arrival{}
}

// call submits a task and gives all its replies, the final one last.
func call(t testing.TB, e engine, task envelope.Task) []envelope.Reply {
	t.Helper()
	e.submit(t, task)
	return untilFinal(t, e, task)
}

func untilFinal(t testing.TB, e engine, task envelope.Task) []envelope.Reply {
	t.Helper()
	var replies []envelope.Reply
	for deadline := time.Now().Add(patience); ; {
		got := next(t, e)
		if time.Now().After(deadline) {
			t.Fatalf("no final reply for task %s", task.Task)
		}
		if got.Task != task.Task {
			continue
		}
		if got.Nonce != task.Nonce {
			t.Fatalf("nonce %q, want %q", got.Nonce, task.Nonce)
		}
		replies = append(replies, got.Reply)
		if got.IsFinal() {
			return replies
		}
	}
}

func final(t testing.TB, e engine, task envelope.Task) envelope.Reply {
	t.Helper()
	replies := call(t, e, task)
	return replies[len(replies)-1]
}

// result expects success and decodes it.
func result[T any](t testing.TB, reply envelope.Reply) T {
	t.Helper()
	var value T
	if reply.Frame != envelope.KindResult {
		t.Fatalf("%s instead of a result: %+v", reply.Frame, reply.Error)
	}
	if err := reply.Value.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// failure expects an error of a type.
func failure(t testing.TB, reply envelope.Reply, kind string) *envelope.Failure {
	t.Helper()
	if reply.Frame != envelope.KindError || reply.Error == nil {
		t.Fatalf("%s %v instead of an error", reply.Frame, reply.Value)
	}
	if reply.Error.Type != kind {
		t.Fatalf("error %s: %s, want %s", reply.Error.Type, reply.Error.Message, kind)
	}
	return reply.Error
}

// onEveryEngine runs a case over both transports in both encodings.
func onEveryEngine(t *testing.T, run func(t *testing.T, e engine)) {
	t.Helper()
	for _, encoding := range []payload.Encoding{payload.JSON, payload.MessagePack} {
		name := strings.TrimPrefix(string(encoding), "application/")
		t.Run("stdio/"+name, func(t *testing.T) { run(t, startStdio(t, encoding)) })
		t.Run("nats/"+name, func(t *testing.T) {
			run(t, startOnNATS(t, startServer(t), encoding))
		})
	}
}
