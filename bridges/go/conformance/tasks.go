package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/perdure/perdure-go"
)

func upperCase(text string) string { return strings.ToUpper(text) }

// describe returns everything that was sent, and what the context knows.
func describe(ctx context.Context, first, second, third *perdure.Value) (map[string]any, error) {
	info := perdure.Info(ctx)
	arguments := []any{}
	for _, argument := range []*perdure.Value{first, second, third} {
		if argument != nil {
			arguments = append(arguments, *argument)
		}
	}
	described := map[string]any{
		"arguments": arguments, "task": info.Task, "activity": info.Activity,
		"attempt": info.Attempt, "idempotency_key": info.IdempotencyKey,
		"fencing_token": info.FencingToken, "namespace": info.Namespace,
		"workflow_id": info.WorkflowID, "workflow_type": info.WorkflowType, "run_id": info.RunID,
		"scheduled_at": info.ScheduledAt, "deadline": info.Deadline, "headers": info.Headers,
		"last_failure": nil,
	}
	if failure := info.LastFailure; failure != nil {
		described["last_failure"] = map[string]any{
			"type": failure.Type, "message": failure.Message, "retryable": !failure.NonRetryable,
		}
	}
	return described, nil
}

func pause(ctx context.Context, milliseconds int64) error {
	timer := time.NewTimer(time.Duration(milliseconds) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func sleep(ctx context.Context, milliseconds int64) (int64, error) {
	return milliseconds, pause(ctx, milliseconds)
}

// heartbeat counts up to count with a heartbeat each, and goes on where the attempt before it
// stopped.
func heartbeat(ctx context.Context, count int64, failAt *int64) (map[string]int64, error) {
	info := perdure.Info(ctx)
	var first int64
	if _, err := info.HeartbeatDetails(&first); err != nil {
		return nil, err
	}
	for done := first + 1; done <= count; done++ {
		if err := perdure.Heartbeat(ctx, done); err != nil {
			return nil, err
		}
		if failAt != nil && done == *failAt && info.Attempt == 1 {
			return nil, fmt.Errorf("failed at %d", done)
		}
		if err := pause(ctx, 5); err != nil {
			return nil, err
		}
	}
	return map[string]int64{"first": first, "count": count}, nil
}

// waitForCancel stops with its argument as the details.
func waitForCancel(ctx context.Context, details *perdure.Value) error {
	if err := perdure.Heartbeat(ctx, "waiting"); err != nil {
		return err
	}
	<-ctx.Done()
	if details != nil {
		return perdure.Heartbeat(ctx, *details)
	}
	return ctx.Err()
}

// ignoreCancel finishes with a result although it is cancelled.
func ignoreCancel(ctx context.Context, milliseconds int64) (map[string]bool, error) {
	time.Sleep(time.Duration(milliseconds) * time.Millisecond)
	return map[string]bool{"cancelled": ctx.Err() != nil}, nil
}

// printText prints to stdout, which must not reach the protocol.
func printText(_ context.Context, text string) (int, error) {
	fmt.Println(text)
	_, err := os.Stdout.WriteString(text + "\n")
	return len(text), err
}

// sleepAndLog sleeps through anything, then says so in the log.
func sleepAndLog(_ context.Context, milliseconds int64) (int64, error) {
	time.Sleep(time.Duration(milliseconds) * time.Millisecond)
	slog.Info("slept", "milliseconds", milliseconds)
	return milliseconds, nil
}

// spin computes without giving way, as a parser does.
func spin(_ context.Context, milliseconds int64) (int64, error) {
	end := time.Now().Add(time.Duration(milliseconds) * time.Millisecond)
	for time.Now().Before(end) {
	}
	return milliseconds, nil
}
