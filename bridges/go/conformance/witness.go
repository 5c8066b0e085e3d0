package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/perdure/perdure-go"
)

// witness adds a line to a file as it begins: its key, its attempt and the microsecond since the
// Unix epoch. After a while it returns the square of a number, with the key and the attempt, so
// that a test can tell which execution a result is of.
func witness(
	ctx context.Context, path string, number, milliseconds int64,
) (map[string]any, error) {
	info := perdure.Info(ctx)
	key, attempt := info.IdempotencyKey, info.Attempt
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if _, err := fmt.Fprintf(file, "%s %d %d\n", key, attempt, time.Now().UnixMicro()); err != nil {
		return nil, err
	}
	if err := pause(ctx, milliseconds); err != nil {
		return nil, err
	}
	return map[string]any{"square": number * number, "key": key, "attempt": attempt}, nil
}
