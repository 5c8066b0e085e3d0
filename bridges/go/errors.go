package perdure

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"time"

	"github.com/perdure/perdure-go/internal/envelope"
	"github.com/perdure/perdure-go/internal/natslink"
	"github.com/perdure/perdure-go/internal/payload"
	"github.com/perdure/perdure-go/internal/worker"
)

// AccessError is returned by Run for a NATS server that does not let this worker in.
type AccessError = natslink.AccessError

// MalformedError is returned by Run for input over stdio that breaks the protocol.
type MalformedError = envelope.MalformedError

// CancelledError is context.Cause of an activity's context when the workflow has cancelled it.
type CancelledError = worker.CancelledError

// Causes of an activity's context when the worker itself must stop.
var (
	ErrDraining   = worker.ErrDraining
	ErrEngineGone = worker.ErrEngineGone
)

// Error is an error with a type that the workflow can tell apart. Any other error works too: its
// Go type becomes the type, it is retryable, and what it wraps becomes its cause.
type Error struct {
	Type    string
	Message string
	// Details travel to the workflow; use Decode on the receiving side. An error that was
	// received, such as ActivityInfo.LastFailure, holds Values.
	Details []any
	// NonRetryable stops the retries of the activity.
	NonRetryable bool
	// RetryAfter is a wish for the next delay; 0 is none.
	RetryAfter time.Duration
	Cause      error
	// Stack is the text of the stack where the error was made, or the foreign one.
	Stack string

	frames []uintptr
}

// ErrorOption is an option of NewError.
type ErrorOption func(*Error)

// NewError makes an error for the workflow.
func NewError(kind, message string, options ...ErrorOption) *Error {
	made := &Error{Type: kind, Message: message, frames: make([]uintptr, 32)}
	made.frames = made.frames[:runtime.Callers(2, made.frames)]
	for _, option := range options {
		option(made)
	}
	return made
}

// WithDetails attaches values.
func WithDetails(details ...any) ErrorOption {
	return func(e *Error) { e.Details = append(e.Details, details...) }
}

// WithCause attaches the error behind this one.
func WithCause(cause error) ErrorOption {
	return func(e *Error) { e.Cause = cause }
}

// NonRetryable says that trying again cannot help.
func NonRetryable() ErrorOption {
	return func(e *Error) { e.NonRetryable = true }
}

// RetryAfter asks for this delay before the next attempt.
func RetryAfter(delay time.Duration) ErrorOption {
	return func(e *Error) { e.RetryAfter = delay }
}

func (e *Error) Error() string {
	if e.Message == "" {
		return e.Type
	}
	return e.Type + ": " + e.Message
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

func (e *Error) stack() string {
	if e.Stack != "" || len(e.frames) == 0 {
		return e.Stack
	}
	var text strings.Builder
	frames := runtime.CallersFrames(e.frames)
	for {
		frame, more := frames.Next()
		fmt.Fprintf(&text, "%s\n\t%s:%d\n", frame.Function, frame.File, frame.Line)
		if !more {
			return text.String()
		}
	}
}

// describe turns a handler's error into its document, causes included.
func describe(err error) *envelope.Failure { return describeAt(err, 0) }

func describeAt(err error, depth int) *envelope.Failure {
	var raised *worker.RaisedError
	if errors.As(err, &raised) {
		return raised.Failure
	}
	failure := &envelope.Failure{Message: err.Error()}
	// fmt.Errorf("…: %w", err) and errors.Join give words, not a kind: type, details and retries
	// are those of the first error of a type of its own.
	named := err
	for isAnonymous(named) && unwrap(named) != nil {
		named = unwrap(named)
	}
	failure.Type = typeName(named)
	retryable := true
	var own *Error
	if errors.As(err, &own) {
		retryable = !own.NonRetryable
		if own.RetryAfter > 0 {
			milliseconds := own.RetryAfter.Milliseconds()
			failure.RetryAfterMs = &milliseconds
		}
	}
	failure.Retryable = &retryable
	if typed, isOwn := named.(*Error); isOwn {
		failure.Stack = typed.stack()
		failure.Details = encodeDetails(typed.Details)
		if err == named {
			failure.Message = typed.Message
		}
	}
	if cause := unwrap(err); cause != nil && depth+1 < envelope.MaximumCauses {
		failure.Cause = describeAt(cause, depth+1)
	}
	return failure
}

// encodeDetails replaces a detail that cannot travel by a note, since the error matters more.
func encodeDetails(details []any) []Value {
	encoded := make([]Value, 0, len(details))
	for _, detail := range details {
		value, err := payload.NewValue(detail)
		if err != nil {
			value, _ = payload.NewValue(strings.ToValidUTF8(err.Error(), "\uFFFD"))
		}
		encoded = append(encoded, value)
	}
	return encoded
}

func unwrap(err error) error {
	if several, isSeveral := err.(interface{ Unwrap() []error }); isSeveral {
		if inner := several.Unwrap(); len(inner) > 0 {
			return inner[0]
		}
		return nil
	}
	return errors.Unwrap(err)
}

var anonymousTypes = map[string]bool{
	"fmt.wrapError": true, "fmt.wrapErrors": true, "errors.joinError": true,
}

func isAnonymous(err error) bool { return anonymousTypes[goType(err)] }

// typeName is what workflows match on: ErrorType() if the error has it, else the Go type without
// its pointer, such as fs.PathError.
func typeName(err error) string {
	switch named := err.(type) {
	case *Error:
		return named.Type
	case interface{ ErrorType() string }:
		return named.ErrorType()
	}
	if err == context.Canceled {
		return "context.Canceled"
	}
	return goType(err)
}

func goType(err error) string {
	return strings.TrimLeft(reflect.TypeOf(err).String(), "*")
}

// received turns a document into an *Error.
func received(failure *envelope.Failure) *Error {
	if failure == nil {
		return nil
	}
	out := &Error{
		Type: failure.Type, Message: failure.Message, Stack: failure.Stack,
		NonRetryable: !failure.IsRetryable(),
	}
	for _, detail := range failure.Details {
		out.Details = append(out.Details, detail)
	}
	if failure.RetryAfterMs != nil {
		out.RetryAfter = time.Duration(*failure.RetryAfterMs) * time.Millisecond
	}
	if cause := received(failure.Cause); cause != nil {
		out.Cause = cause
	}
	return out
}
