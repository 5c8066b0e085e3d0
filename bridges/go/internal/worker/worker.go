// Package worker runs tasks: slots, duplicates, kept replies, cancel, deadlines, heartbeats and
// drain. It knows no transport.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/perdure/perdure-go/internal/envelope"
	"github.com/perdure/perdure-go/internal/payload"
)

// Times of the protocol.
const (
	// acceptAfter leaves the engine's 100 ms some room.
	acceptAfter = 40 * time.Millisecond
	// lastChance is what cancelled handlers get when a drain has lasted too long.
	lastChance   = time.Second
	busyRetry    = 100 * time.Millisecond
	drainingWait = time.Second
)

// ErrDraining is the cause of a handler's context when a drain has lasted too long.
var ErrDraining = errors.New("perdure: the worker is going away")

// ErrEngineGone is the cause of a handler's context when the engine has closed the connection.
var ErrEngineGone = errors.New("perdure: the engine has closed the connection")

// CancelledError is the cause of a handler's context when the engine cancels its task.
type CancelledError struct {
	Reason string
}

func (e *CancelledError) Error() string { return "perdure: the task was cancelled: " + e.Reason }

// Handler runs an activity and gives its result in the wanted encoding.
type Handler func(
	ctx context.Context, arguments payload.Value, encoding payload.Encoding,
) (payload.Value, error)

// Route is where the replies of a task go; a repeated request changes it.
type Route struct {
	Nonce    string
	Subject  string
	Encoding payload.Encoding
}

// Sender is the transport's side.
type Sender interface {
	// Send hands a reply over without waiting for the peer. A *TooLargeError leaves nothing sent.
	Send(reply *envelope.Reply, route Route) error
}

// TooLargeError is a reply beyond the transport's limit.
type TooLargeError struct {
	Size, Limit int
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%d bytes, the limit is %d", e.Size, e.Limit)
}

// Options are what a worker is made of.
type Options struct {
	Handlers map[string]Handler
	Slots    int
	// Describe turns a handler's error into its document.
	Describe func(error) *envelope.Failure
	Logger   *slog.Logger
}

// Worker holds the tasks of one process.
type Worker struct {
	Options
	sender Sender
	root   context.Context

	mu       sync.Mutex
	running  map[string]*Call
	kept     keptReplies
	draining bool
	// active counts goroutines until their reply is handed over; idle closes at 0 in a drain.
	active int
	idle   chan struct{}
}

// New makes a worker whose handlers see the values, but not the cancellation, of ctx.
func New(ctx context.Context, options Options, sender Sender) *Worker {
	return &Worker{
		Options: options,
		sender:  sender,
		root:    context.WithoutCancel(ctx),
		running: map[string]*Call{},
		kept:    newKeptReplies(),
		idle:    make(chan struct{}),
	}
}

// Submit starts a task, or answers for one that it has or has had.
func (w *Worker) Submit(task *envelope.Task, route Route) {
	w.mu.Lock()
	if call := w.running[task.Task]; call != nil {
		w.mu.Unlock()
		call.reroute(route)
		return
	}
	if reply := w.kept.find(task.Task, time.Now()); reply != nil {
		w.mu.Unlock()
		w.resend(reply, route)
		return
	}
	handler, refusal := w.admit(task)
	if refusal != nil {
		w.mu.Unlock()
		w.Refuse(task.Task, route, refusal)
		return
	}
	call := &Call{Task: task, worker: w, handler: handler, route: route}
	w.running[task.Task] = call
	w.active++
	w.mu.Unlock()
	go w.run(call)
}

// admit runs under the lock.
func (w *Worker) admit(task *envelope.Task) (Handler, *envelope.Failure) {
	if task.Protocol > envelope.Protocol {
		message := fmt.Sprintf("the task has protocol %d, this worker speaks %d",
			task.Protocol, envelope.Protocol)
		return nil, envelope.NotStarted(envelope.TypeUnsupportedProtocol, message, true)
	}
	if w.draining {
		return nil, notNow(envelope.TypeDraining, "the worker is going away", drainingWait)
	}
	handler := w.Handlers[task.Activity]
	if handler == nil {
		message := fmt.Sprintf("this service has no activity %q", task.Activity)
		return nil, envelope.NotStarted(envelope.TypeUnknownActivity, message, true)
	}
	if len(w.running) >= w.Slots {
		message := fmt.Sprintf("all %d slots are taken", w.Slots)
		return nil, notNow(envelope.TypeBusy, message, busyRetry)
	}
	return handler, nil
}

func notNow(kind, message string, retryAfter time.Duration) *envelope.Failure {
	failure := envelope.NotStarted(kind, message, true)
	milliseconds := retryAfter.Milliseconds()
	failure.RetryAfterMs = &milliseconds
	return failure
}

// Refuse answers a task that does not start.
func (w *Worker) Refuse(task string, route Route, failure *envelope.Failure) {
	w.send(&envelope.Reply{Frame: envelope.KindError, Task: task, Error: failure}, route)
}

func (w *Worker) resend(kept *envelope.Reply, route Route) {
	again := *kept
	w.send(&again, route)
}

func (w *Worker) send(reply *envelope.Reply, route Route) {
	reply.Nonce = route.Nonce
	if err := w.sender.Send(reply, route); err != nil {
		w.Logger.Warn("a reply could not be sent",
			"task", reply.Task, "frame", reply.Frame, "error", err)
	}
}

// Attach moves the replies of a task to another engine's address.
func (w *Worker) Attach(task string, route Route) {
	w.mu.Lock()
	call := w.running[task]
	reply := w.kept.find(task, time.Now())
	w.mu.Unlock()
	switch {
	case call != nil:
		route.Encoding = call.encoding()
		call.reroute(route)
	case reply != nil:
		w.resend(reply, route)
	}
}

// Cancel cancels the context of a task, if it runs here.
func (w *Worker) Cancel(task, reason string) {
	w.mu.Lock()
	call := w.running[task]
	w.mu.Unlock()
	if call != nil {
		call.stop(&CancelledError{Reason: reason})
	}
}

// Tasks are the ids of all tasks without a final reply.
func (w *Worker) Tasks() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	tasks := make([]string, 0, len(w.running))
	for task := range w.running {
		tasks = append(tasks, task)
	}
	return tasks
}

// BeginDrain refuses new tasks from now on.
func (w *Worker) BeginDrain() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.draining {
		w.draining = true
		if w.active == 0 {
			close(w.idle)
		}
	}
}

// Finish waits for the running tasks of a drain, at most for patience, then cancels the rest. It
// ends early, with cut closed, when nobody can hear the replies any more.
func (w *Worker) Finish(patience time.Duration, cut <-chan struct{}) {
	w.BeginDrain()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-w.idle:
		return
	case <-timer.C:
		w.Abandon(ErrDraining)
	case <-cut:
		w.Abandon(ErrEngineGone)
	}
}

// Abandon cancels every handler and gives it a last chance to end.
func (w *Worker) Abandon(cause error) {
	w.BeginDrain()
	w.mu.Lock()
	calls := make([]*Call, 0, len(w.running))
	for _, call := range w.running {
		calls = append(calls, call)
	}
	w.mu.Unlock()
	// A call's lock is taken before the worker's, never after it.
	for _, call := range calls {
		call.stop(cause)
	}
	select {
	case <-w.idle:
	case <-time.After(lastChance):
		w.Logger.Warn("handlers do not heed their context and are left behind", "tasks", w.Tasks())
	}
}

// done forgets a call and keeps its final reply, in one step, so that a repeated request finds one
// or the other.
func (w *Worker) done(task string, reply *envelope.Reply) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.running, task)
	if reply.Error == nil || reply.Error.Started == nil {
		w.kept.add(reply, time.Now())
	}
}

func (w *Worker) release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.active--
	if w.draining && w.active == 0 {
		close(w.idle)
	}
}
