package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/perdure/perdure-go/internal/envelope"
	"github.com/perdure/perdure-go/internal/payload"
)

// Call is one running task.
type Call struct {
	Task    *envelope.Task
	worker  *Worker
	handler Handler

	mu     sync.Mutex
	route  Route
	cancel context.CancelCauseFunc
	// stopped is the cause of a cancel that came before the context was made.
	stopped error
	// answered says that a reply has left, so that no accepted is needed.
	answered bool
	ended    bool
	accept   *time.Timer
	beats    heartbeats
}

type callKey struct{}

// CallOf finds the call that a handler's context belongs to.
func CallOf(ctx context.Context) *Call {
	call, _ := ctx.Value(callKey{}).(*Call)
	return call
}

func (w *Worker) run(call *Call) {
	defer w.release()
	ctx, cancel := call.context(w.root)
	defer cancel()
	value, err := call.invoke(ctx)
	call.finish(call.outcome(ctx, value, err))
}

func (c *Call) context(root context.Context) (context.Context, func()) {
	ctx := context.WithValue(root, callKey{}, c)
	release := func() {}
	if c.Task.DeadlineMs > 0 {
		ctx, release = context.WithDeadline(ctx, time.UnixMilli(c.Task.DeadlineMs))
	}
	ctx, cancel := context.WithCancelCause(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel = cancel
	if c.stopped != nil {
		cancel(c.stopped)
	}
	c.accept = time.AfterFunc(acceptAfter, c.acceptLate)
	return ctx, func() {
		cancel(context.Canceled)
		release()
	}
}

// stop cancels the handler's context; the first cause stays.
func (c *Call) stop(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped == nil {
		c.stopped = cause
	}
	if c.cancel != nil {
		c.cancel(cause)
	}
}

func (c *Call) encoding() payload.Encoding {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.route.Encoding
}

// panicError is a panic of a handler, caught.
type panicError struct {
	value any
	stack string
}

func (e *panicError) Error() string { return fmt.Sprint(e.value) }

func (c *Call) invoke(ctx context.Context) (value payload.Value, err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		// A nil here without a return is runtime.Goexit: the goroutine goes, the task must not.
		recovered := recover()
		if recovered == nil {
			recovered = "the handler ended its goroutine"
			c.finish(c.outcome(ctx, value, &panicError{recovered, string(debug.Stack())}))
			return
		}
		err = &panicError{recovered, string(debug.Stack())}
	}()
	value, err = c.handler(ctx, c.Task.Arguments, c.encoding())
	returned = true
	return value, err
}

// outcome decides which final reply a handler's return means.
func (c *Call) outcome(ctx context.Context, value payload.Value, err error) *envelope.Reply {
	reply := &envelope.Reply{Task: c.Task.Task}
	if err == nil {
		reply.Frame, reply.Value = envelope.KindResult, value
		return reply
	}
	cause := context.Cause(ctx)
	var cancelled *CancelledError
	if errors.As(cause, &cancelled) &&
		(errors.Is(err, context.Canceled) || errors.As(err, &cancelled)) {
		reply.Frame = envelope.KindCancelled
		return reply
	}
	reply.Frame, reply.Error = envelope.KindError, c.failure(ctx, cause, err)
	return reply
}

func (c *Call) failure(ctx context.Context, cause, err error) *envelope.Failure {
	var panicked *panicError
	asked := errors.Is(err, context.Canceled) || errors.Is(err, ErrDraining)
	late := errors.Is(err, context.DeadlineExceeded)
	switch {
	case errors.As(err, &panicked):
		failure := envelope.Raised(envelope.TypePanic, panicked.Error(), true)
		failure.Stack = panicked.stack
		if inner, isError := panicked.value.(error); isError {
			failure.Cause = c.worker.Describe(inner)
		}
		return failure
	case late && errors.Is(ctx.Err(), context.DeadlineExceeded):
		message := "the handler's deadline has passed"
		return envelope.Raised(envelope.TypeDeadlineExceeded, message, true)
	case asked && errors.Is(cause, ErrDraining):
		return envelope.Raised(envelope.TypeDraining, ErrDraining.Error(), true)
	}
	return c.worker.Describe(err)
}

// finish sends the final reply, after details that have not left yet.
func (c *Call) finish(reply *envelope.Reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.ended = true
	c.accept.Stop()
	if reply.Frame != envelope.KindResult {
		c.flushDetails()
	}
	c.beats.stop()
	if reply.Frame == envelope.KindCancelled {
		reply.Details = c.beats.newest
	}
	reply.Nonce = c.route.Nonce
	c.worker.done(c.Task.Task, reply)
	err := c.worker.sender.Send(reply, c.route)
	var tooLarge *TooLargeError
	if errors.As(err, &tooLarge) {
		reply = c.tooLarge(reply, tooLarge)
		c.worker.done(c.Task.Task, reply)
		err = c.worker.sender.Send(reply, c.route)
	}
	if err != nil {
		c.worker.Logger.Warn("a final reply could not be sent", "task", c.Task.Task, "error", err)
	}
}

func (c *Call) tooLarge(reply *envelope.Reply, cause *TooLargeError) *envelope.Reply {
	message := fmt.Sprintf("the %s of activity %s has %v", reply.Frame, c.Task.Activity, cause)
	return &envelope.Reply{
		Frame: envelope.KindError, Task: reply.Task, Nonce: c.route.Nonce,
		Error: envelope.Raised(envelope.TypePayloadTooLarge, message, false),
	}
}

// reroute takes over the address of a repeated request and says that the task runs.
func (c *Call) reroute(route Route) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		// The final reply has just left for the old address: send it to the new one as well.
		c.worker.mu.Lock()
		kept := c.worker.kept.find(c.Task.Task, time.Now())
		c.worker.mu.Unlock()
		if kept != nil {
			c.worker.resend(kept, route)
		}
		return
	}
	c.route = route
	c.sendAccepted()
}

func (c *Call) acceptLate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.answered && !c.ended {
		c.sendAccepted()
	}
}

func (c *Call) sendAccepted() {
	c.answered = true
	c.worker.send(&envelope.Reply{Frame: envelope.KindAccepted, Task: c.Task.Task}, c.route)
}

// RaisedError is a failure that is ready to travel, from around the handler.
type RaisedError struct {
	Failure *envelope.Failure
}

func (e *RaisedError) Error() string { return e.Failure.Type + ": " + e.Failure.Message }
