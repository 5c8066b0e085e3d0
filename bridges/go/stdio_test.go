package perdure_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"syscall"
	"testing"

	"github.com/perdure/perdure-go"
	"github.com/perdure/perdure-go/internal/envelope"
)

func TestHelloIntroducesTheWorker(t *testing.T) {
	e := startStdio(t, perdure.JSON)
	hello := e.hello
	if hello.Service != "conformance" || hello.Language != "go" || hello.Profile != "L2" ||
		hello.Concurrency != 64 || len(hello.Accept) != 2 ||
		!strings.HasPrefix(hello.Instance, "go-") {
		t.Errorf("%+v", hello)
	}
	names := map[string]bool{}
	for _, activity := range hello.Activities {
		names[activity.Name] = true
	}
	if !names["echo"] || !names["wait_for_cancel"] {
		t.Errorf("activities: %v", hello.Activities)
	}
}

func TestPrintsLandInTheLog(t *testing.T) {
	e := startStdio(t, perdure.MessagePack)
	if got := result[int](t, final(t, e, newTask(t, "print", "stray"))); got != 5 {
		t.Errorf("result %d", got)
	}
	e.worker.waitLog(t, "stray", 2)
	// Printed by main before the service ran.
	e.worker.waitLog(t, "the conformance worker starts", 1)
}

func TestGarbageEndsTheWorkerWithAReason(t *testing.T) {
	tooLong := binary.BigEndian.AppendUint32(nil, 64<<20+64<<10+1)
	const nameless = "\x82\xa5frame\xa4task\xa4task\xa1x"
	cases := map[string]struct {
		raw  []byte
		says string
	}{
		"oversize length":    {tooLong, "outside 1 … 67174400"},
		"zero length":        {make([]byte, 4), "outside 1 … 67174400"},
		"no document":        {frame([]byte{0xc1}), "not a document"},
		"text":               {[]byte("GET / HTTP/1.1\r\n\r\n"), "outside 1 … 67174400"},
		"task without name":  {frame([]byte(nameless)), "needs task and activity"},
		"document cut short": {frame([]byte("\x82\xa5frame")), "not a document"},
	}
	for name, garbage := range cases {
		t.Run(name, func(t *testing.T) {
			e := startStdio(t, perdure.MessagePack)
			e.writeBytes(t, garbage.raw)
			if status := e.worker.waitExit(t); status != 1 {
				t.Errorf("status %d", status)
			}
			if log := e.worker.log.String(); !strings.Contains(log, garbage.says) {
				t.Errorf("the log does not say %q: %s", garbage.says, log)
			}
		})
	}
}

func TestRefusedPayloadFailsOneTaskAlone(t *testing.T) {
	payloads := map[string]string{
		"unknown extension": "\xd4\x07\x00", "not UTF-8": "\xa1\xff", "integer key": "\x81\x01\x02",
		"duplicate key": "\x82\xa1a\x01\xa1a\x02", "129 deep": strings.Repeat("\x91", 129) + "\x01",
		"5000 deep": strings.Repeat("\x91", 5000) + "\x01",
	}
	e := startStdio(t, perdure.MessagePack)
	for name, argument := range payloads {
		task := newTask(t, "echo")
		text := func(text string) string { return "\xd9" + string([]byte{byte(len(text))}) + text }
		document := "\x85" + text("frame") + text("task") + text("arguments") + "\x91" + argument +
			text("activity") + text("echo") + text("task") + text(task.Task) +
			text("nonce") + text(task.Nonce)
		e.writeBytes(t, frame([]byte(document)))
		replies := untilFinal(t, e, task)
		refused := failure(t, replies[0], "InvalidArguments")
		if refused.IsRetryable() || !strings.Contains(refused.Message, "$") {
			t.Errorf("%s: %+v", name, refused)
		}
	}
	if got := result[string](t, final(t, e, newTask(t, "echo", "alive"))); got != "alive" {
		t.Errorf("echo: %q", got)
	}
}

func TestUnknownFramesAndFieldsAreIgnored(t *testing.T) {
	e := startStdio(t, perdure.MessagePack)
	e.write(t, perdure.MessagePack, map[string]any{"frame": "sing", "song": []any{1}})
	e.write(t, perdure.MessagePack, map[string]any{"frame": "cancel", "task": "nobody's", "x": 1})
	e.control(t, envelope.Control{Frame: "drain", Instance: "another"})
	if got := result[int](t, final(t, e, newTask(t, "echo", 1))); got != 1 {
		t.Errorf("echo: %d", got)
	}
}

func TestUnknownActivityAndHigherProtocolDoNotStart(t *testing.T) {
	e := startStdio(t, perdure.JSON)
	unknown := failure(t, final(t, e, newTask(t, "nowhere")), "UnknownActivity")
	later := newTask(t, "echo", 1)
	later.Protocol = 99
	unsupported := failure(t, final(t, e, later), "UnsupportedProtocol")
	for _, refusal := range []*envelope.Failure{unknown, unsupported} {
		if !refusal.IsRetryable() || *refusal.Started {
			t.Errorf("%+v", refusal)
		}
	}
}

func TestLargePayloadsUpToTheFrameLimit(t *testing.T) {
	e := startStdio(t, perdure.MessagePack)
	whole := bytes.Repeat([]byte{7}, 64<<20)
	got := result[[]byte](t, final(t, e, newTask(t, "big", len(whole))))
	if !bytes.Equal(got, whole) {
		t.Errorf("%d bytes came back", len(got))
	}
	tooLarge := failure(t, final(t, e, newTask(t, "big", 64<<20+64<<10)), "PayloadTooLarge")
	if tooLarge.IsRetryable() {
		t.Errorf("%+v", tooLarge)
	}
}

func TestEndOfInputStopsHandlersAndExits(t *testing.T) {
	e := startStdio(t, perdure.MessagePack)
	e.submit(t, newTask(t, "wait_for_cancel", nil))
	await(t, e, envelope.KindHeartbeat)
	_ = e.in.Close()
	if status := e.worker.waitExit(t); status != 0 {
		t.Errorf("status %d", status)
	}
}

func TestDrainFinishesWhatRunsAndRefusesTheRest(t *testing.T) {
	for name, begin := range map[string]func(*testing.T, *stdioEngine){
		"frame": func(t *testing.T, e *stdioEngine) {
			e.control(t, envelope.Control{Frame: "drain"})
		},
		"SIGTERM": func(t *testing.T, e *stdioEngine) {
			if err := e.worker.command.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := startStdio(t, perdure.MessagePack)
			running := newTask(t, "sleep", 500)
			e.submit(t, running)
			await(t, e, envelope.KindAccepted)
			begin(t, e)
			if got := await(t, e, envelope.KindDraining); got.Instance != e.hello.Instance {
				t.Errorf("draining names %q", got.Instance)
			}
			refused := failure(t, final(t, e, newTask(t, "echo", 1)), "Draining")
			if !refused.IsRetryable() || *refused.Started {
				t.Errorf("%+v", refused)
			}
			replies := untilFinal(t, e, running)
			if got := result[int](t, replies[len(replies)-1]); got != 500 {
				t.Errorf("the running task: %d", got)
			}
			if status := e.worker.waitExit(t); status != 0 {
				t.Errorf("status %d", status)
			}
		})
	}
}

func TestKilledWorkerClosesThePipe(t *testing.T) {
	e := startStdio(t, perdure.MessagePack)
	e.submit(t, newTask(t, "exit", 7))
	if status := e.worker.waitExit(t); status != 7 {
		t.Errorf("status %d", status)
	}
	for got := range e.received() {
		if got.IsFinal() {
			t.Errorf("a final reply from a dead worker: %+v", got)
		}
	}
}
