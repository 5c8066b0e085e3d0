package stdio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/perdure/perdure-go/internal/envelope"
	"github.com/perdure/perdure-go/internal/payload"
	"github.com/perdure/perdure-go/internal/worker"
)

// Session is one worker on one pair of pipes.
type Session struct {
	In     io.Reader
	Out    io.Writer
	Hello  envelope.Hello
	Worker worker.Options
	// Patience is how long a drain waits for running tasks.
	Patience time.Duration
	Logger   *slog.Logger

	frames   *frameWriter
	encoding payload.Encoding
	worker   *worker.Worker
	drain    chan struct{}
}

// Send implements worker.Sender.
func (s *Session) Send(reply *envelope.Reply, _ worker.Route) error {
	return s.send(reply)
}

func (s *Session) send(document any) error {
	encoded, err := envelope.Encode(document, s.encoding)
	if err != nil {
		return err
	}
	return s.frames.write(encoded)
}

// Run serves until the engine closes the pipe, asks for a drain, or ctx ends, which also drains.
// Only input that breaks the protocol is an error.
func (s *Session) Run(ctx context.Context) error {
	s.frames = &frameWriter{out: s.Out}
	s.encoding = payload.JSON
	s.drain = make(chan struct{}, 1)
	s.worker = worker.New(ctx, s.Worker, s)
	if err := s.send(&s.Hello); err != nil {
		return fmt.Errorf("perdure: cannot write to the engine: %w", err)
	}
	frames := newFrameReader(s.In)
	interval, err := s.welcome(frames)
	if err != nil || interval == 0 {
		return err
	}
	ended := make(chan error, 1)
	closed := make(chan struct{})
	go func() {
		ended <- s.read(frames)
		close(closed)
	}()
	stopLiveness := s.startLiveness(interval)
	defer stopLiveness()
	select {
	case err = <-ended:
		s.worker.Abandon(worker.ErrEngineGone)
	case <-ctx.Done():
		err = s.leave(closed)
	case <-s.drain:
		err = s.leave(closed)
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// leave drains; a failure to say so means only that nobody listens.
func (s *Session) leave(closed <-chan struct{}) error {
	s.worker.BeginDrain()
	draining := struct {
		Frame    string `json:"frame"`
		Instance string `json:"instance"`
	}{envelope.KindDraining, s.Hello.Instance}
	if err := s.send(&draining); err != nil {
		s.Logger.Warn("the engine was not told of the drain", "error", err)
	}
	s.worker.Finish(s.Patience, closed)
	return nil
}

// welcome reads the engine's answer; a zero interval means that it closed the pipe instead.
func (s *Session) welcome(frames *frameReader) (time.Duration, error) {
	document, err := frames.next()
	if errors.Is(err, io.EOF) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	frame, err := envelope.Decode(document, payload.JSON)
	if err != nil {
		return 0, err
	}
	control, isControl := frame.(*envelope.Control)
	if !isControl || control.Frame != envelope.KindWelcome {
		return 0, &envelope.MalformedError{What: "the first frame is not welcome"}
	}
	if control.Encoding == "" {
		control.Encoding = payload.JSON
	}
	if !slices.Contains(s.Hello.Accept, control.Encoding) {
		what := fmt.Sprintf("the engine chose encoding %q, not one of %v",
			control.Encoding, s.Hello.Accept)
		return 0, &envelope.MalformedError{What: what}
	}
	s.encoding = control.Encoding
	return max(time.Duration(control.LivenessIntervalMs)*time.Millisecond, time.Millisecond), nil
}

func (s *Session) read(frames *frameReader) error {
	for {
		document, err := frames.next()
		if err != nil {
			return err
		}
		if err := s.handle(document); err != nil {
			return err
		}
	}
}

func (s *Session) handle(document []byte) error {
	frame, err := envelope.Decode(document, s.encoding)
	var refused *envelope.RefusedTaskError
	if errors.As(err, &refused) {
		failure := envelope.NotStarted(envelope.TypeInvalidArguments, refused.Cause.Error(), false)
		route := worker.Route{Nonce: refused.Nonce, Encoding: s.encoding}
		s.worker.Refuse(refused.Task, route, failure)
		return nil
	}
	if err != nil {
		return err
	}
	switch frame := frame.(type) {
	case *envelope.Task:
		s.worker.Submit(frame, worker.Route{Nonce: frame.Nonce, Encoding: s.encoding})
	case *envelope.Control:
		if frame.Instance == "" || frame.Instance == s.Hello.Instance {
			s.control(frame)
		}
	}
	return nil
}

func (s *Session) control(frame *envelope.Control) {
	switch frame.Frame {
	case envelope.KindCancel:
		s.worker.Cancel(frame.Task, frame.Reason)
	case envelope.KindInventory:
		s.sendLiveness()
	case envelope.KindDrain:
		select {
		case s.drain <- struct{}{}:
		default:
		}
	}
}

func (s *Session) sendLiveness() {
	liveness := envelope.Liveness{
		Frame: envelope.KindLiveness, Instance: s.Hello.Instance,
		Concurrency: s.Hello.Concurrency, Tasks: s.worker.Tasks(),
	}
	if err := s.send(&liveness); err != nil {
		s.Logger.Warn("liveness could not be sent", "error", err)
	}
}

func (s *Session) startLiveness(interval time.Duration) (stop func()) {
	done := make(chan struct{})
	go func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				s.sendLiveness()
			case <-done:
				return
			}
		}
	}()
	return func() { close(done) }
}
