package perdure

import (
	"context"
	"time"

	"github.com/perdure/perdure-go/internal/payload"
	"github.com/perdure/perdure-go/internal/worker"
)

// ActivityInfo is what a handler may know of its task.
type ActivityInfo struct {
	// Task is "<run>.<n>.<attempt>".
	Task      string
	Activity  string
	Namespace string
	// Attempt counts from 1.
	Attempt int
	// IdempotencyKey is the same for every attempt and after every crash: hand it to the outside
	// systems that you call.
	IdempotencyKey string
	// FencingToken never goes down: a store that remembers the highest can refuse a late writer.
	FencingToken uint64

	WorkflowID   string
	WorkflowType string
	RunID        string

	ScheduledAt time.Time
	// Deadline is zero if there is none; it is the context's deadline as well.
	Deadline time.Time
	// HeartbeatTimeout is 0 if the workflow expects no heartbeats.
	HeartbeatTimeout time.Duration
	// LastFailure is why the attempt before this one failed, or nil.
	LastFailure *Error
	// Headers come from the caller: traceparent and the user's own.
	Headers map[string]string

	details Value
}

// HeartbeatDetails reads what an earlier attempt last told Heartbeat, and reports whether there
// was anything.
func (i ActivityInfo) HeartbeatDetails(target any) (found bool, err error) {
	if i.details.IsZero() {
		return false, nil
	}
	return true, i.details.Decode(target)
}

// Info tells about the task that ctx belongs to. Outside an activity, as in a plain unit test of a
// handler, it is the zero ActivityInfo.
func Info(ctx context.Context) ActivityInfo {
	call := worker.CallOf(ctx)
	if call == nil {
		return ActivityInfo{}
	}
	task := call.Task
	info := ActivityInfo{
		Task: task.Task, Activity: task.Activity, Namespace: task.Namespace,
		Attempt: int(task.Attempt), IdempotencyKey: task.IdempotencyKey,
		FencingToken: task.FencingToken, WorkflowID: task.WorkflowID,
		WorkflowType: task.WorkflowType, RunID: task.RunID,
		HeartbeatTimeout: time.Duration(task.HeartbeatTimeoutMs) * time.Millisecond,
		LastFailure:      received(task.LastFailure), Headers: task.Headers,
		details: task.HeartbeatDetails,
	}
	if task.ScheduledAtMs != 0 {
		info.ScheduledAt = time.UnixMilli(task.ScheduledAtMs).UTC()
	}
	if task.DeadlineMs != 0 {
		info.Deadline = time.UnixMilli(task.DeadlineMs).UTC()
	}
	return info
}

// Heartbeat tells the engine that the handler gets on, and with details (not nil) how far it is;
// the next attempt finds them in HeartbeatDetails. Call it as often as you like: it is paced, and
// the newest details win. The error is the context's when the handler should stop, or a
// *RefusedError for details that cannot travel. Outside an activity it does nothing.
func Heartbeat(ctx context.Context, details any) error {
	call := worker.CallOf(ctx)
	if call == nil {
		return ctx.Err()
	}
	var value Value
	if details != nil {
		encoded, err := payload.NewValue(details)
		if err != nil {
			return err
		}
		value = encoded
	}
	call.Heartbeat(value)
	return ctx.Err()
}
