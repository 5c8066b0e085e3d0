package perdure_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"sync"
	"testing"

	"github.com/perdure/perdure-go/internal/envelope"
	"github.com/perdure/perdure-go/internal/payload"
)

// logBuffer collects stderr while the test may read it.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(text)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

type stdioEngine struct {
	worker   *workerProcess
	in       io.WriteCloser
	encoding payload.Encoding
	arrivals chan arrival
	hello    envelope.Hello
}

func (e *stdioEngine) received() <-chan arrival { return e.arrivals }
func (e *stdioEngine) process() *workerProcess  { return e.worker }

// startStdio starts the worker as a child and shakes hands.
func startStdio(t testing.TB, encoding payload.Encoding) *stdioEngine {
	t.Helper()
	e, out := startSilent(t)
	e.encoding = encoding
	document, err := readDocument(out)
	if err != nil {
		t.Fatalf("no hello: %v", err)
	}
	if err := json.Unmarshal(document, &e.hello); err != nil {
		t.Fatalf("hello is not JSON: %v", err)
	}
	e.write(t, payload.JSON, map[string]any{
		"frame": "welcome", "protocol": 0, "encoding": string(encoding), "engine": "test",
	})
	go e.read(t, out)
	return e
}

// startSilent starts the worker and leaves the pipes to the test.
func startSilent(t testing.TB) (*stdioEngine, io.Reader) {
	t.Helper()
	command := startWorker(t, "PERDURE_TRANSPORT=stdio")
	// Pipes of our own: those of exec are closed by Wait, which may be before all is read.
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, childOut := newPipe(t)
	command.Stdout = childOut
	e := &stdioEngine{in: in, arrivals: make(chan arrival, 10_000)}
	e.worker = watch(t, command)
	_ = childOut.Close()
	return e, out
}

func readDocument(out io.Reader) ([]byte, error) {
	var prefix [4]byte
	if _, err := io.ReadFull(out, prefix[:]); err != nil {
		return nil, err
	}
	document := make([]byte, binary.BigEndian.Uint32(prefix[:]))
	_, err := io.ReadFull(out, document)
	return document, err
}

func (e *stdioEngine) read(t testing.TB, out io.Reader) {
	defer close(e.arrivals)
	for {
		document, err := readDocument(out)
		if err != nil {
			return
		}
		var got arrival
		if err := decodeArrival(document, e.encoding, &got); err != nil {
			t.Errorf("the worker sent garbage: %v: %q", err, document)
			return
		}
		e.arrivals <- got
	}
}

func decodeArrival(document []byte, encoding payload.Encoding, into *arrival) error {
	var fields struct {
		envelope.Reply
		Instance    string   `json:"instance"`
		Concurrency int64    `json:"concurrency"`
		Tasks       []string `json:"tasks"`
	}
	err := payload.UnmarshalDocument(document, encoding, &fields)
	*into = arrival{fields.Reply, fields.Instance, fields.Concurrency, fields.Tasks}
	return err
}

func frame(document []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(document))), document...)
}

func (e *stdioEngine) write(t testing.TB, encoding payload.Encoding, document any) {
	t.Helper()
	encoded, err := envelope.Encode(document, encoding)
	if err != nil {
		t.Fatal(err)
	}
	e.writeBytes(t, frame(encoded))
}

func (e *stdioEngine) writeBytes(t testing.TB, raw []byte) {
	t.Helper()
	if _, err := e.in.Write(raw); err != nil {
		t.Fatal(err)
	}
}

func (e *stdioEngine) submit(t testing.TB, task envelope.Task) {
	t.Helper()
	e.write(t, e.encoding, struct {
		Frame string `json:"frame"`
		envelope.Task
	}{envelope.KindTask, task})
}

func (e *stdioEngine) control(t testing.TB, control envelope.Control) {
	t.Helper()
	e.write(t, e.encoding, control)
}
