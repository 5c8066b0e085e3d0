package perdure

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"regexp"
	"sort"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/perdure/perdure-go/internal/envelope"
	"github.com/perdure/perdure-go/internal/natslink"
	"github.com/perdure/perdure-go/internal/payload"
	"github.com/perdure/perdure-go/internal/stdio"
	"github.com/perdure/perdure-go/internal/worker"
)

// Version of this module.
const Version = "0.1.0"

// Defaults of a service.
const (
	DefaultConcurrency  = 64
	DefaultDrainTimeout = 10 * time.Second
)

// Service is a named set of activities.
type Service struct {
	name     string
	handlers map[string]worker.Handler
	// mistakes are those made while activities were added; Run reports them.
	mistakes []error
	settings settings
}

type settings struct {
	concurrency  int
	drainTimeout time.Duration
	namespace    string
	version      string
	natsURL      string
	natsOptions  []nats.Option
	logger       *slog.Logger
}

// Option is an option of NewService.
type Option func(*settings)

// WithConcurrency sets how many tasks run at a time.
func WithConcurrency(tasks int) Option {
	return func(s *settings) { s.concurrency = tasks }
}

// WithDrainTimeout sets how long a drain waits for running tasks before it cancels them.
func WithDrainTimeout(patience time.Duration) Option {
	return func(s *settings) { s.drainTimeout = patience }
}

// WithNamespace sets the namespace; the default is PERDURE_NAMESPACE or "default".
func WithNamespace(namespace string) Option {
	return func(s *settings) { s.namespace = namespace }
}

// WithVersion sets the version that the NATS service shows, a semantic version.
func WithVersion(version string) Option {
	return func(s *settings) { s.version = version }
}

// WithNATS sets the server and adds options of the NATS client, such as nats.UserCredentials. They
// win over the environment. An empty url leaves the address to the environment.
func WithNATS(url string, options ...nats.Option) Option {
	return func(s *settings) {
		s.natsURL = url
		s.natsOptions = append(s.natsOptions, options...)
	}
}

// WithLogger sets where the worker reports; the default is slog.Default.
func WithLogger(logger *slog.Logger) Option {
	return func(s *settings) { s.logger = logger }
}

// NewService makes a service without activities. Mistakes in name and options are reported by Run.
func NewService(name string, options ...Option) *Service {
	service := &Service{name: name, handlers: map[string]worker.Handler{}, settings: settings{
		concurrency:  DefaultConcurrency,
		drainTimeout: DefaultDrainTimeout,
		namespace:    os.Getenv("PERDURE_NAMESPACE"),
		version:      "0.0.0",
	}}
	if service.settings.namespace == "" {
		service.settings.namespace = "default"
	}
	for _, option := range options {
		option(&service.settings)
	}
	if service.settings.logger == nil {
		service.settings.logger = slog.Default()
	}
	return service
}

var (
	tokenPattern    = regexp.MustCompile(`^[a-z0-9_-]{1,63}$`)
	activityPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
)

const longestActivity = 200

func (s *Service) wrong(mistake error) { s.mistakes = append(s.mistakes, mistake) }

func (s *Service) add(name string, handler worker.Handler) {
	switch {
	case !activityPattern.MatchString(name) || len(name) > longestActivity:
		s.wrong(fmt.Errorf("perdure: activity name %q: use letters, digits, _ and -, in parts "+
			"joined by dots, %d characters at most", name, longestActivity))
	case s.handlers[name] != nil:
		s.wrong(fmt.Errorf("perdure: activity %q is there twice", name))
	default:
		s.handlers[name] = handler
	}
}

func (s *Service) check() error {
	mistakes := append([]error{}, s.mistakes...)
	tokens := map[string]string{"service": s.name, "namespace": s.settings.namespace}
	for what, token := range tokens {
		if !tokenPattern.MatchString(token) {
			mistakes = append(mistakes, fmt.Errorf(
				"perdure: %s name %q: use a-z, 0-9, _ and -, 63 characters at most", what, token))
		}
	}
	if s.settings.concurrency < 1 {
		mistakes = append(mistakes, errors.New("perdure: the concurrency is at least 1"))
	}
	if len(s.handlers) == 0 {
		mistakes = append(mistakes, fmt.Errorf("perdure: service %q has no activity", s.name))
	}
	return errors.Join(mistakes...)
}

// Run serves until ctx ends, SIGTERM or SIGINT arrives, or the engine asks for a drain; then it
// finishes the running tasks and returns nil. Over stdio it also ends when the engine closes the
// pipe. An error means that the service cannot serve: a mistake in its definition, a server that
// refuses it, or input that breaks the protocol.
func (s *Service) Run(ctx context.Context) error {
	if err := s.check(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	if stdio.Chosen() {
		return s.runStdio(ctx)
	}
	return s.runNATS(ctx)
}

func (s *Service) runStdio(ctx context.Context) error {
	in, out, err := stdio.Pipes()
	if err != nil {
		return err
	}
	session := stdio.Session{
		In: in, Out: out, Hello: s.hello(), Worker: s.options(),
		Patience: s.settings.drainTimeout, Logger: s.settings.logger,
	}
	return session.Run(ctx)
}

func (s *Service) runNATS(ctx context.Context) error {
	server, options, err := natslink.FromEnvironment()
	if err != nil {
		return err
	}
	if s.settings.natsURL != "" {
		server = s.settings.natsURL
	}
	session := natslink.Session{
		Server: server, Options: append(options, s.settings.natsOptions...),
		Namespace: s.settings.namespace, Version: s.settings.version,
		Hello: s.hello(), Worker: s.options(),
		Patience: s.settings.drainTimeout, Logger: s.settings.logger,
	}
	return session.Run(ctx)
}

func (s *Service) options() worker.Options {
	return worker.Options{
		Handlers: s.handlers, Slots: s.settings.concurrency,
		Describe: describe, Logger: s.settings.logger,
	}
}

func (s *Service) hello() envelope.Hello {
	hello := envelope.Hello{
		Frame: envelope.KindHello, Protocol: envelope.Protocol, Service: s.name,
		Instance: newInstance(), Language: "go", SDK: "perdure-go/" + Version,
		Concurrency: int64(s.settings.concurrency), Profile: "L2",
		Accept: []Encoding{payload.JSON, payload.MessagePack},
	}
	for name := range s.handlers {
		hello.Activities = append(hello.Activities, envelope.Activity{Name: name})
	}
	sort.Slice(hello.Activities, func(i, j int) bool {
		return hello.Activities[i].Name < hello.Activities[j].Name
	})
	return hello
}

// newInstance names this process among all instances of the service.
func newInstance() string {
	var random [12]byte
	_, _ = rand.Read(random[:]) // never fails on the platforms that Go supports
	return "go-" + hex.EncodeToString(random[:])
}
