package perdure_test

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/perdure/perdure-go"
	"github.com/perdure/perdure-go/internal/envelope"
)

func TestEchoKeepsEveryKind(t *testing.T) {
	record := map[string]any{
		"largest": uint64(math.MaxUint64), "smallest": int64(math.MinInt64), "one": 1.0,
		"nan": math.NaN(), "bytes": []byte{0, 255}, "null": nil, "text": "e\u0301 \U0001f600 \x00",
		"at": time.Unix(1795470840, 5).UTC(), "lasting": 90 * time.Second,
		"price": perdure.Decimal("9.90"), "id": perdure.UUID{1, 2, 3}, "$int": "5",
		"unknown": []any{map[string]any{}, []any{}},
	}
	onEveryEngine(t, func(t *testing.T, e engine) {
		sent, err := perdure.NewValue(record)
		if err != nil {
			t.Fatal(err)
		}
		reply := final(t, e, newTask(t, "echo", record))
		back, err := reply.Value.Encode(perdure.MessagePack)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := sent.Encode(perdure.MessagePack)
		if !bytes.Equal(back, want) {
			t.Errorf("\n got %s\nwant %s", reply.Value, sent)
		}
	})
}

func TestTypedRecordIgnoresUnknownFieldsAndKeepsTheOthers(t *testing.T) {
	record := map[string]any{
		"name": "café", "count": int64(math.MaxInt64), "ratio": 0.5, "raw": []byte{7},
		"at": time.Unix(1795470840, 1).UTC(), "lasting": time.Minute,
		"price": perdure.Decimal("1E+400"), "id": perdure.UUID{9}, "tags": []any{"a"},
		"optional": nil,
	}
	onEveryEngine(t, func(t *testing.T, e engine) {
		want, _ := perdure.NewValue(record)
		sent := map[string]any{"colour": "blue"}
		for key, value := range record {
			sent[key] = value
		}
		got := result[map[string]any](t, final(t, e, newTask(t, "typed_echo", sent)))
		again, _ := perdure.NewValue(got)
		if again.String() != want.String() {
			t.Errorf("\n got %s\nwant %s", again, want)
		}
		kept := result[map[string]any](t, final(t, e, newTask(t, "record_echo", sent)))
		if kept["name"] != "CAFÉ" || kept["colour"] != "blue" {
			t.Errorf("record_echo: %v", kept)
		}
	})
}

func TestInfoTellsWhatTheEngineSent(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		task := newTask(t, "describe", int64(1)<<60, nil)
		task.Attempt, task.FencingToken = 3, math.MaxUint64
		task.IdempotencyKey, task.WorkflowID = "key.7.abc", "audit"
		task.ScheduledAtMs = 1795470840123
		task.DeadlineMs = time.Now().Add(time.Hour).UnixMilli()
		task.Headers = map[string]string{"tenant": "b"}
		task.LastFailure = envelope.Raised("Odd", "was odd", false)
		got := result[map[string]any](t, final(t, e, task))
		for key, want := range map[string]any{
			"task": task.Task, "attempt": int64(3), "fencing_token": uint64(math.MaxUint64),
			"idempotency_key": "key.7.abc", "workflow_id": "audit", "namespace": "default",
			"scheduled_at": time.UnixMilli(1795470840123).UTC(),
			"deadline":     time.UnixMilli(task.DeadlineMs).UTC(),
		} {
			if got[key] != want {
				t.Errorf("%s: %v, want %v", key, got[key], want)
			}
		}
		last := got["last_failure"].(map[string]any)
		if last["type"] != "Odd" || last["retryable"] != false {
			t.Errorf("last failure: %v", last)
		}
		arguments := got["arguments"].([]any)
		if len(arguments) != 2 || arguments[0] != int64(1)<<60 || arguments[1] != nil {
			t.Errorf("arguments: %v", arguments)
		}
	})
}

func TestErrorsArriveTypedWithStackDetailsAndCauses(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		outer := failure(t, final(t, e, newTask(t, "raise_nested")), "AuditError")
		if !outer.IsRetryable() || *outer.RetryAfterMs != 1500 {
			t.Errorf("outer: %+v", outer)
		}
		var large int64
		if err := outer.Details[0].Decode(&large); err != nil || large != 1<<60 {
			t.Errorf("details: %v %v", outer.Details, err)
		}
		if outer.Cause.Type != "LoadError" || outer.Cause.Message != "café.go" {
			t.Errorf("middle: %+v", outer.Cause)
		}
		inner := outer.Cause.Cause
		if inner.Type != "ParseError" || inner.IsRetryable() || inner.Cause != nil {
			t.Errorf("inner: %+v", inner)
		}
		if !strings.Contains(inner.Stack, "raiseNested") {
			t.Errorf("stack: %q", inner.Stack)
		}
		plain := failure(t, final(t, e, newTask(t, "raise_plain")), "errors.errorString")
		if plain.Message != "print: out of paper" || plain.Cause.Message != "out of paper" {
			t.Errorf("plain: %+v", plain)
		}
		custom := newTask(t, "raise_error", "Teapot", "short and stout", false, []any{1, nil})
		teapot := failure(t, final(t, e, custom), "Teapot")
		if teapot.IsRetryable() || len(teapot.Details) != 2 || !teapot.Details[1].IsNull() {
			t.Errorf("teapot: %+v", teapot)
		}
	})
}

func TestPanicIsAnErrorWithAStackAndTheWorkerLives(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		caught := failure(t, final(t, e, newTask(t, "panic", "boom")), "Panic")
		if caught.Message != "boom" || !caught.IsRetryable() ||
			!strings.Contains(caught.Stack, "panicNow") {
			t.Errorf("panic: %+v", caught)
		}
		if got := result[string](t, final(t, e, newTask(t, "echo", "alive"))); got != "alive" {
			t.Errorf("echo after a panic: %q", got)
		}
	})
}

func TestWhatDoesNotFitIsRefusedWithThePath(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		wrong := newTask(t, "typed_echo", map[string]any{"tags": []any{"a", 5}})
		refused := failure(t, final(t, e, wrong), "InvalidArguments")
		if refused.IsRetryable() || !strings.Contains(refused.Message, "$[0].tags[1]") {
			t.Errorf("arguments: %+v", refused)
		}
		failure(t, final(t, e, newTask(t, "echo")), "InvalidArguments")
		failure(t, final(t, e, newTask(t, "echo", 1, 2)), "InvalidArguments")
		result := failure(t, final(t, e, newTask(t, "unencodable")), "UnencodableResult")
		if result.IsRetryable() || !strings.Contains(result.Message, "$.items[1].callback") {
			t.Errorf("result: %+v", result)
		}
	})
}

func TestCancelReachesAHandlerAndKeepsItsDetails(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		task := newTask(t, "wait_for_cancel", map[string]any{"done": 3})
		e.submit(t, task)
		if first := await(t, e, envelope.KindHeartbeat); first.Details.String() != `"waiting"` {
			t.Fatalf("heartbeat %s", first.Details)
		}
		e.control(t, envelope.Control{Frame: "cancel", Task: task.Task, Reason: "enough"})
		replies := untilFinal(t, e, task)
		last := replies[len(replies)-1]
		if last.Frame != envelope.KindCancelled || last.Details.String() != `{"done":3}` {
			t.Errorf("%s %s", last.Frame, last.Details)
		}
	})
}

func TestResultAfterCancelIsNotLost(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		task := newTask(t, "ignore_cancel", 300)
		e.submit(t, task)
		await(t, e, envelope.KindAccepted)
		e.control(t, envelope.Control{Frame: "cancel", Task: task.Task})
		replies := untilFinal(t, e, task)
		if got := result[map[string]bool](t, replies[len(replies)-1]); !got["cancelled"] {
			t.Errorf("the handler's context did not end: %v", got)
		}
	})
}

func TestDeadlineEndsTheContext(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		task := newTask(t, "sleep", 60_000)
		task.DeadlineMs = time.Now().Add(150 * time.Millisecond).UnixMilli()
		if late := failure(t, final(t, e, task), "DeadlineExceeded"); !late.IsRetryable() {
			t.Errorf("%+v", late)
		}
	})
}

func TestHeartbeatsResumeFromDetails(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		first := newTask(t, "heartbeat", 40, 7)
		first.HeartbeatTimeoutMs = 30_000
		replies := call(t, e, first)
		failure(t, replies[len(replies)-1], "errors.errorString")
		var newest int64
		for _, reply := range replies {
			if reply.Frame == envelope.KindHeartbeat {
				if err := reply.Details.Decode(&newest); err != nil {
					t.Fatal(err)
				}
			}
		}
		// The pace holds back all but the first; the last one leaves before the error.
		if newest != 7 || len(replies) > 4 {
			t.Fatalf("newest details %d after %d replies", newest, len(replies))
		}
		second := newTask(t, "heartbeat", 9, 7)
		second.Attempt = 2
		second.HeartbeatDetails, _ = perdure.NewValue(newest)
		got := result[map[string]int64](t, final(t, e, second))
		if got["first"] != 7 || got["count"] != 9 {
			t.Errorf("the second attempt: %v", got)
		}
	})
}

func TestRepeatedTaskRunsOnceAndAnswersUnderTheNewNonce(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		task := newTask(t, "sleep_and_log", 300)
		e.submit(t, task)
		await(t, e, envelope.KindAccepted)
		again := task
		again.Nonce = "second"
		e.submit(t, again)
		accepted := next(t, e)
		if accepted.Frame != envelope.KindAccepted || accepted.Nonce != "second" {
			t.Fatalf("%s under %q", accepted.Frame, accepted.Nonce)
		}
		untilFinal(t, e, again)
		third := task
		third.Nonce = "third"
		if got := result[int](t, final(t, e, third)); got != 300 {
			t.Errorf("the kept reply: %d", got)
		}
		e.process().waitLog(t, "slept", 1)
		if runs := strings.Count(e.process().log.String(), "slept"); runs != 1 {
			t.Errorf("the task ran %d times", runs)
		}
	})
}

func TestBusyWhenEverySlotIsTaken(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, e engine) {
		held := make([]envelope.Task, 64)
		for index := range held {
			held[index] = newTask(t, "wait_for_cancel", nil)
			e.submit(t, held[index])
		}
		for range held {
			await(t, e, envelope.KindHeartbeat)
		}
		busy := failure(t, final(t, e, newTask(t, "echo", 1)), "Busy")
		if !busy.IsRetryable() || *busy.Started || *busy.RetryAfterMs <= 0 {
			t.Errorf("busy: %+v", busy)
		}
		e.control(t, envelope.Control{Frame: "inventory"})
		if tasks := await(t, e, envelope.KindLiveness).Tasks; len(tasks) != 64 {
			t.Errorf("liveness lists %d tasks", len(tasks))
		}
		e.control(t, envelope.Control{Frame: "cancel", Task: held[0].Task})
		await(t, e, envelope.KindCancelled)
		if got := result[int](t, final(t, e, newTask(t, "echo", 5))); got != 5 {
			t.Errorf("echo: %d", got)
		}
	})
}
