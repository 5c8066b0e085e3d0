// A service with one activity.
package main

import (
	"context"
	"log"
	"time"

	"github.com/perdure/perdure-go"
)

type greeting struct {
	Text string    `json:"text"`
	At   time.Time `json:"at"`
}

func hello(_ context.Context, name string) (greeting, error) {
	if name == "" {
		return greeting{}, perdure.NewError("NoName", "whom shall I greet?", perdure.NonRetryable())
	}
	return greeting{Text: "Hello, " + name + "!", At: time.Now()}, nil
}

func main() {
	service := perdure.NewService("greeter", perdure.WithConcurrency(64))
	perdure.Activity(service, "hello", hello)
	if err := service.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}
