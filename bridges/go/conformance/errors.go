package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/perdure/perdure-go"
)

func raiseError(
	_ context.Context, kind, message *string, retryable *bool, details []any, retryAfterMs *int64,
) error {
	options := []perdure.ErrorOption{perdure.WithDetails(details...)}
	if retryable != nil && !*retryable {
		options = append(options, perdure.NonRetryable())
	}
	if retryAfterMs != nil {
		options = append(options, perdure.RetryAfter(time.Duration(*retryAfterMs)*time.Millisecond))
	}
	return perdure.NewError(
		orDefault(kind, "CardDeclined"), orDefault(message, "the card is declined"), options...)
}

func orDefault(text *string, otherwise string) string {
	if text == nil {
		return otherwise
	}
	return *text
}

// loadError is an error of its own Go type, renamed for the other languages.
type loadError struct {
	file  string
	cause error
}

func (e *loadError) Error() string     { return e.file }
func (e *loadError) Unwrap() error     { return e.cause }
func (e *loadError) ErrorType() string { return "LoadError" }

func raiseNested(context.Context) (any, error) {
	parse := perdure.NewError("ParseError", "unexpected '}'", perdure.NonRetryable(),
		perdure.WithDetails(map[string]any{"line": 12, "token": []byte("}")}))
	load := &loadError{file: "café.go", cause: parse}
	return nil, perdure.NewError("AuditError", "audit failed", perdure.WithCause(load),
		perdure.RetryAfter(1500*time.Millisecond),
		perdure.WithDetails(int64(1)<<60, nil, math.NaN()))
}

var errPlain = errors.New("out of paper")

func raisePlain(context.Context) (any, error) { return nil, fmt.Errorf("print: %w", errPlain) }

func panicNow(_ context.Context, message *string) {
	panic(orDefault(message, "panic"))
}
