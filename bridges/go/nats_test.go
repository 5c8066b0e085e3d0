package perdure_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/perdure/perdure-go"
	"github.com/perdure/perdure-go/internal/envelope"
)

func TestTheFleetIsListedByNATSItself(t *testing.T) {
	e := startOnNATS(t, startServer(t), perdure.JSON)
	answer, err := e.connection.Request("$SRV.INFO.pd-default-conformance", nil, patience)
	if err != nil {
		t.Fatal(err)
	}
	var info micro.Info
	if err := json.Unmarshal(answer.Data, &info); err != nil {
		t.Fatal(err)
	}
	if info.Metadata["pd.language"] != "go" || info.Metadata["pd.protocol"] != "0" ||
		info.Metadata["pd.instance"] == "" {
		t.Errorf("metadata %v", info.Metadata)
	}
	found := false
	for _, endpoint := range info.Endpoints {
		found = found || endpoint.Subject == "pd.a.default.conformance.echo" &&
			endpoint.QueueGroup == "conformance"
	}
	if !found {
		t.Errorf("no endpoint for echo: %+v", info.Endpoints)
	}
}

func TestBrokenMessagesAreAnsweredOrDroppedAndTheWorkerLives(t *testing.T) {
	e := startOnNATS(t, startServer(t), perdure.MessagePack)
	send := func(headers map[string]string, body string) {
		message := nats.NewMsg("pd.a.default.conformance.echo")
		message.Reply, message.Data = e.inbox+".9", []byte(body)
		for name, value := range headers {
			message.Header.Set(name, value)
		}
		e.publish(t, message)
	}
	send(map[string]string{}, "garbage without a task")
	send(map[string]string{"Pd-Task": "a.1.1"}, "{garbage")
	send(map[string]string{"Pd-Task": "a.1.1", "Content-Type": "text/plain"}, "[]")
	send(map[string]string{"Pd-Task": "a.1.1", "Pd-Attempt": "two"}, "[]")
	for range 3 {
		if refused := failure(t, next(t, e).Reply, "InvalidArguments"); refused.IsRetryable() {
			t.Errorf("%+v", refused)
		}
	}
	e.publish(t, &nats.Msg{Subject: "pd.c.default.conformance", Data: []byte("\xc1garbage")})
	if got := result[int](t, final(t, e, newTask(t, "echo", 1))); got != 1 {
		t.Errorf("echo: %d", got)
	}
}

func TestResultBeyondTheServersLimitIsRefused(t *testing.T) {
	e := startOnNATS(t, startServer(t), perdure.MessagePack)
	large := failure(t, final(t, e, newTask(t, "big", 2<<20)), "PayloadTooLarge")
	if large.IsRetryable() || !strings.Contains(large.Message, "the limit is 1048576") {
		t.Errorf("%+v", large)
	}
}

func TestServerRestartLosesNoReply(t *testing.T) {
	server := startServer(t)
	e := startOnNATS(t, server, perdure.MessagePack)
	task := newTask(t, "sleep_and_log", 700)
	e.submit(t, task)
	await(t, e, envelope.KindAccepted)
	server.kill()
	server.start(t)
	// The reply may come before or after hello, and may come twice.
	replies := untilFinal(t, e, task)
	if got := result[int](t, replies[len(replies)-1]); got != 700 {
		t.Errorf("result %d", got)
	}
	if got := result[int](t, final(t, e, newTask(t, "echo", 1))); got != 1 {
		t.Errorf("echo after the restart: %d", got)
	}
}

func TestReplyGivenWhileTheServerIsAwayArrivesLater(t *testing.T) {
	server := startServer(t)
	e := startOnNATS(t, server, perdure.JSON)
	task := newTask(t, "sleep_and_log", 300)
	e.submit(t, task)
	await(t, e, envelope.KindAccepted)
	server.kill()
	e.worker.waitLog(t, "slept", 1)
	server.start(t)
	replies := untilFinal(t, e, task)
	if got := result[int](t, replies[len(replies)-1]); got != 300 {
		t.Errorf("result %d", got)
	}
}

func TestAttachMovesRepliesToARestartedEngine(t *testing.T) {
	e := startOnNATS(t, startServer(t), perdure.MessagePack)
	running, done := newTask(t, "wait_for_cancel", nil), newTask(t, "echo", "kept")
	e.submit(t, running)
	await(t, e, envelope.KindHeartbeat)
	final(t, e, done)

	restarted := connectEngine(t, e.server, perdure.MessagePack)
	for _, task := range []envelope.Task{running, done} {
		restarted.control(t, envelope.Control{
			Frame: "attach", Task: task.Task, Nonce: "new", Reply: restarted.inbox + ".7",
		})
	}
	accepted := await(t, restarted, envelope.KindAccepted)
	kept := await(t, restarted, envelope.KindResult)
	if accepted.Task != running.Task || accepted.Nonce != "new" {
		t.Errorf("accepted: %+v", accepted)
	}
	if kept.Task != done.Task || kept.Nonce != "new" || kept.Value.String() != `"kept"` {
		t.Errorf("kept: %+v", kept)
	}
	restarted.control(t, envelope.Control{Frame: "cancel", Task: running.Task})
	if last := await(t, restarted, envelope.KindCancelled); last.Nonce != "new" {
		t.Errorf("cancelled: %+v", last)
	}
}

func TestDrainOverNATSFinishesWhatRuns(t *testing.T) {
	e := startOnNATS(t, startServer(t), perdure.MessagePack)
	running := newTask(t, "sleep", 500)
	e.submit(t, running)
	await(t, e, envelope.KindAccepted)
	if err := e.worker.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await(t, e, envelope.KindDraining)
	replies := untilFinal(t, e, running)
	if got := result[int](t, replies[len(replies)-1]); got != 500 {
		t.Errorf("result %d", got)
	}
	if status := e.worker.waitExit(t); status != 0 {
		t.Errorf("status %d", status)
	}
	e.submit(t, newTask(t, "echo", 1))
	await(t, e, "no_responders")
}

func TestInventoryIsAnsweredWithHelloAndLiveness(t *testing.T) {
	e := startOnNATS(t, startServer(t), perdure.MessagePack)
	task := newTask(t, "wait_for_cancel", nil)
	e.submit(t, task)
	await(t, e, envelope.KindHeartbeat)
	e.control(t, envelope.Control{Frame: "inventory"})
	hello := await(t, e, envelope.KindHello)
	liveness := await(t, e, envelope.KindLiveness)
	if hello.Instance == "" || hello.Instance != liveness.Instance || liveness.Concurrency != 64 ||
		len(liveness.Tasks) != 1 || liveness.Tasks[0] != task.Task {
		t.Errorf("hello %+v, liveness %+v", hello, liveness)
	}
}

func TestWorkerWaitsForItsServer(t *testing.T) {
	server := startServer(t)
	server.kill()
	worker := watch(t, startWorker(t, workerEnvironment(server)...))
	worker.waitLog(t, "waiting for NATS", 1)
	server.start(t)
	e := connectEngine(t, server, perdure.JSON)
	e.worker = worker
	await(t, e, envelope.KindHello)
}

func TestWrongTokenIsATypedErrorAtOnce(t *testing.T) {
	server := startServer(t)
	service := perdure.NewService("greeter", perdure.WithNATS(server.url(), nats.Token("wrong")))
	perdure.Activity0(service, "hello", func(context.Context) (string, error) { return "", nil })
	err := service.Run(context.Background())
	var refused *perdure.AccessError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "PERDURE_NATS_TOKEN") {
		t.Errorf("%v", err)
	}
}

func TestUserAndPasswordFromTheEnvironment(t *testing.T) {
	server := startServer(t, "--user", "worker", "--pass", "pä ss")
	t.Setenv("PERDURE_NATS_URL", server.url())
	t.Setenv("PERDURE_NATS_USER", "worker")
	t.Setenv("PERDURE_NATS_PASSWORD", "pä ss")
	service := perdure.NewService("greeter")
	perdure.Activity0(service, "hello", func(context.Context) (string, error) { return "", nil })
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx) }()
	connection, err := nats.Connect(server.url(), nats.UserInfo("worker", "pä ss"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	deadline := time.Now().Add(patience)
	for {
		_, err := connection.Request("$SRV.PING.pd-default-greeter", nil, time.Second)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the service does not answer")
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
