package natslink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/perdure/perdure-go/internal/envelope"
	"github.com/perdure/perdure-go/internal/payload"
	"github.com/perdure/perdure-go/internal/worker"
)

// LivenessInterval is how often a worker says what it holds.
const LivenessInterval = 5 * time.Second

const flushTimeout = 2 * time.Second

// Session is one worker on one NATS connection.
type Session struct {
	Server    string
	Options   []nats.Option
	Namespace string
	Version   string
	Hello     envelope.Hello
	Worker    worker.Options
	Patience  time.Duration
	Logger    *slog.Logger

	connection *nats.Conn
	outbox     *outbox
	worker     *worker.Worker
	drain      chan struct{}
	closed     chan struct{}
	prefix     string
}

// Run serves until ctx ends or the engine asks for a drain. It reconnects for ever.
func (s *Session) Run(ctx context.Context) error {
	s.drain = make(chan struct{}, 1)
	s.closed = make(chan struct{})
	connection, err := connect(ctx, s.Server, append(s.connectOptions(), s.Options...), s.Logger)
	if err != nil {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return nil
		}
		return err
	}
	defer connection.Close()
	s.connection = connection
	s.outbox = &outbox{connection: connection}
	s.worker = worker.New(ctx, s.Worker, s)
	service, err := s.serve()
	if err != nil {
		return err
	}
	ticker := time.NewTicker(LivenessInterval)
	defer ticker.Stop()
	s.publish(&s.Hello)
	for {
		select {
		case <-ticker.C:
			s.publishLiveness()
		case <-ctx.Done():
			return s.leave(service)
		case <-s.drain:
			return s.leave(service)
		case <-s.closed:
			s.worker.Abandon(worker.ErrEngineGone)
			return errors.New("perdure: the NATS connection is closed for good")
		}
	}
}

func (s *Session) connectOptions() []nats.Option {
	return []nats.Option{
		nats.Name(fmt.Sprintf("perdure %s (go)", s.Hello.Service)),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(firstWait),
		nats.ReconnectJitter(firstWait, firstWait),
		nats.IgnoreAuthErrorAbort(),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			s.Logger.Warn("the connection to NATS is lost, reconnecting", "error", err)
		}),
		nats.ReconnectHandler(func(*nats.Conn) { s.reconnected() }),
		nats.ClosedHandler(func(*nats.Conn) { close(s.closed) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			s.Logger.Warn("NATS reports an error", "error", err)
		}),
	}
}

func (s *Session) reconnected() {
	repeated := s.outbox.repeat()
	s.Logger.Info("reconnected to NATS", "repeated_replies", repeated)
	s.publish(&s.Hello)
	s.publishLiveness()
}

func (s *Session) subject(kind string) string {
	return fmt.Sprintf("pd.%s.%s.%s", kind, s.Namespace, s.Hello.Service)
}

// serve registers the micro service and its endpoints, then listens for control frames.
func (s *Session) serve() (micro.Service, error) {
	s.prefix = s.subject("a") + "."
	accept := make([]string, len(s.Hello.Accept))
	for index, encoding := range s.Hello.Accept {
		accept[index] = string(encoding)
	}
	service, err := micro.AddService(s.connection, micro.Config{
		Name:        fmt.Sprintf("pd-%s-%s", s.Namespace, s.Hello.Service),
		Version:     s.Version,
		Description: "activities of the Perdure service " + s.Hello.Service,
		QueueGroup:  s.Hello.Service,
		Metadata: map[string]string{
			"pd.protocol": fmt.Sprint(envelope.Protocol), "pd.instance": s.Hello.Instance,
			"pd.language": "go", "pd.accept": strings.Join(accept, ","),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("perdure: the NATS service cannot start: %w", err)
	}
	for _, activity := range s.Hello.Activities {
		err := service.AddEndpoint(
			strings.ReplaceAll(activity.Name, ".", "_"), micro.HandlerFunc(s.handleTask),
			micro.WithEndpointSubject(s.prefix+activity.Name),
		)
		if err != nil {
			return nil, fmt.Errorf("perdure: activity %s cannot be served: %w", activity.Name, err)
		}
	}
	if _, err := s.connection.Subscribe(s.subject("c"), s.handleControl); err != nil {
		return nil, fmt.Errorf("perdure: control messages cannot be heard: %w", err)
	}
	return service, s.connection.FlushTimeout(flushTimeout)
}

func (s *Session) handleTask(request micro.Request) {
	route := worker.Route{Subject: request.Reply()}
	if route.Subject == "" {
		s.Logger.Warn("a task without a reply subject is dropped", "subject", request.Subject())
		return
	}
	activity := strings.TrimPrefix(request.Subject(), s.prefix)
	headers := envelope.Headers(request.Headers())
	task, encoding, err := envelope.DecodeMessage(headers, request.Data(), activity)
	route.Encoding = encoding
	var refused *envelope.RefusedTaskError
	if errors.As(err, &refused) {
		route.Nonce = refused.Nonce
		failure := envelope.NotStarted(envelope.TypeInvalidArguments, refused.Cause.Error(), false)
		s.worker.Refuse(refused.Task, route, failure)
		return
	}
	if err != nil {
		s.Logger.Warn("a message that is no task is dropped",
			"subject", request.Subject(), "error", err)
		return
	}
	route.Nonce = task.Nonce
	s.worker.Submit(task, route)
}

func (s *Session) handleControl(message *nats.Msg) {
	frame, err := envelope.Decode(message.Data, payload.JSON)
	if err != nil {
		s.Logger.Warn("a control message is dropped", "error", err)
		return
	}
	control, isControl := frame.(*envelope.Control)
	if !isControl || control.Instance != "" && control.Instance != s.Hello.Instance {
		return
	}
	switch control.Frame {
	case envelope.KindCancel:
		s.worker.Cancel(control.Task, control.Reason)
	case envelope.KindInventory:
		s.publish(&s.Hello)
		s.publishLiveness()
	case envelope.KindAttach:
		route := worker.Route{Nonce: control.Nonce, Subject: control.Reply, Encoding: payload.JSON}
		if route.Subject != "" {
			s.worker.Attach(control.Task, route)
		}
	case envelope.KindDrain:
		select {
		case s.drain <- struct{}{}:
		default:
		}
	}
}

// Send implements worker.Sender.
func (s *Session) Send(reply *envelope.Reply, route worker.Route) error {
	headers, body, err := envelope.EncodeMessage(reply, route.Encoding)
	if err != nil {
		return err
	}
	message := &nats.Msg{Subject: route.Subject, Header: nats.Header(headers), Data: body}
	publish := s.connection.PublishMsg
	if reply.IsFinal() {
		publish = s.outbox.publish
	}
	switch err := publish(message); {
	case errors.Is(err, nats.ErrMaxPayload):
		return &worker.TooLargeError{Size: message.Size(), Limit: int(s.connection.MaxPayload())}
	case err != nil && reply.IsFinal() && !s.connection.IsClosed():
		// The outbox sends it again after the reconnect.
		s.Logger.Info("a final reply waits for the reconnect", "task", reply.Task, "error", err)
		return nil
	default:
		return err
	}
}

func (s *Session) publish(document any) {
	encoded, err := envelope.Encode(document, payload.JSON)
	if err == nil {
		err = s.connection.Publish(s.subject("l"), encoded)
	}
	if err != nil {
		s.Logger.Warn("liveness could not be published", "error", err)
	}
}

func (s *Session) publishLiveness() {
	s.publish(&envelope.Liveness{
		Frame: envelope.KindLiveness, Instance: s.Hello.Instance,
		Concurrency: s.Hello.Concurrency, Tasks: s.worker.Tasks(),
	})
}

// leave drains: out of the queue groups first, so that new tasks go to other instances.
func (s *Session) leave(service micro.Service) error {
	s.publish(&struct {
		Frame    string `json:"frame"`
		Instance string `json:"instance"`
	}{envelope.KindDraining, s.Hello.Instance})
	if err := service.Stop(); err != nil {
		s.Logger.Warn("the NATS service did not stop cleanly", "error", err)
	}
	s.worker.Finish(s.Patience, s.closed)
	if err := s.connection.FlushTimeout(flushTimeout); err != nil {
		s.Logger.Warn("the last replies may be lost", "error", err)
	}
	return nil
}
