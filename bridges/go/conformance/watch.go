package main

import (
	"context"
	"fmt"
	"os"
)

// watch says in a file how it begins and how it ends: cancelled, or ended by itself after a while.
// It never heartbeats, and returns a value in either case.
func watch(ctx context.Context, path, name string, milliseconds int64) (string, error) {
	if err := addLine(path, "begun "+name); err != nil {
		return "", err
	}
	word := "ended "
	if pause(ctx, milliseconds) != nil {
		word = "cancelled "
	}
	return word + name, addLine(path, word+name)
}

func addLine(path, line string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = fmt.Fprintln(file, line)
	return err
}
