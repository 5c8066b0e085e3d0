// The service against which every language is tested with the same cases.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/perdure/perdure-go"
)

func main() {
	// A stray print before the service runs; it must not reach the protocol.
	fmt.Println("the conformance worker starts")
	name := "conformance"
	if other := os.Getenv("CONFORMANCE_SERVICE"); other != "" {
		name = other
	}
	service := perdure.NewService(name, perdure.WithConcurrency(64))
	perdure.Activity(service, "echo", echo)
	perdure.Activity(service, "record_echo", recordEcho)
	perdure.Activity(service, "typed_echo", typedEcho)
	service.Register("describe", describe)
	service.Register("raise_error", raiseError)
	perdure.Activity0(service, "raise_nested", raiseNested)
	perdure.Activity0(service, "raise_plain", raisePlain)
	service.Register("panic", panicNow)
	perdure.Activity(service, "sleep", sleep)
	service.Register("heartbeat", heartbeat)
	service.Register("wait_for_cancel", waitForCancel)
	perdure.Activity(service, "ignore_cancel", ignoreCancel)
	perdure.Activity(service, "big", big)
	perdure.Activity(service, "deep", deep)
	perdure.Activity0(service, "broken_text", brokenText)
	perdure.Activity0(service, "unencodable", unencodable)
	perdure.Activity(service, "print", printText)
	perdure.Activity(service, "sleep_and_log", sleepAndLog)
	perdure.Activity(service, "spin", spin)
	perdure.Activity(service, "exit", exit)
	service.Register("witness", witness)
	service.Register("watch", watch)
	if err := service.Run(context.Background()); err != nil {
		slog.Error("the conformance worker stops", "error", err)
		os.Exit(1)
	}
}

func echo(_ context.Context, value perdure.Value) (perdure.Value, error) { return value, nil }

// recordEcho changes one field of a record and hands the record on: unknown fields stay on it.
func recordEcho(
	_ context.Context, record map[string]perdure.Value,
) (map[string]perdure.Value, error) {
	var name string
	if err := record["name"].Decode(&name); err != nil {
		return nil, err
	}
	upper, err := perdure.NewValue(upperCase(name))
	record["name"] = upper
	return record, err
}

// record is what Go's type mapping makes of a typed record.
type record struct {
	Name     string          `json:"name"`
	Count    int64           `json:"count"`
	Ratio    float64         `json:"ratio"`
	Raw      []byte          `json:"raw"`
	At       time.Time       `json:"at"`
	Lasting  time.Duration   `json:"lasting"`
	Price    perdure.Decimal `json:"price"`
	ID       perdure.UUID    `json:"id"`
	Tags     []string        `json:"tags"`
	Optional *string         `json:"optional"`
	Inner    *record         `json:"inner,omitempty"`
}

// typedEcho reads the fields it knows and ignores the others.
func typedEcho(_ context.Context, argument record) (record, error) { return argument, nil }

func big(_ context.Context, size int) ([]byte, error) {
	whole := make([]byte, size)
	for index := range whole {
		whole[index] = 7
	}
	return whole, nil
}

func deep(_ context.Context, levels int) ([]any, error) {
	value := []any{}
	for range levels - 1 {
		value = []any{value}
	}
	return value, nil
}

func brokenText(context.Context) (any, error) {
	return map[string]any{"items": []any{1, map[string]string{"name": "a\xff"}}}, nil
}

func unencodable(context.Context) (any, error) {
	return map[string]any{"items": []any{1, map[string]any{"callback": func() {}}}}, nil
}

// exit kills the worker in the middle of a task.
func exit(_ context.Context, status int) (any, error) {
	os.Exit(status)
	return nil, nil
}
