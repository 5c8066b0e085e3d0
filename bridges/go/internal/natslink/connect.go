// Package natslink speaks the bridge protocol over NATS.
package natslink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// DefaultURL is where a worker looks for NATS unless it is told.
const DefaultURL = nats.DefaultURL

const (
	firstWait = 200 * time.Millisecond
	longWait  = 2 * time.Second

	// So often in a row a server may end a connection right after the TLS handshake.
	maximumClosings = 3
)

// AccessError is a server that does not let this worker in; waiting would not help.
type AccessError struct {
	Server string
	Cause  error
}

func (e *AccessError) Error() string {
	return fmt.Sprintf("perdure: NATS at %s refuses this worker: %v; see PERDURE_NATS_TOKEN, "+
		"PERDURE_NATS_USER, PERDURE_NATS_CREDS, PERDURE_NATS_NKEY_SEED_FILE, PERDURE_NATS_CA, "+
		"PERDURE_NATS_CERT and PERDURE_NATS_KEY",
		e.Server, e.Cause)
}

func (e *AccessError) Unwrap() error { return e.Cause }

// FromEnvironment gives the address and the options that the environment asks for.
func FromEnvironment() (server string, options []nats.Option, err error) {
	server = os.Getenv("PERDURE_NATS_URL")
	if server == "" {
		server = DefaultURL
	}
	if token := os.Getenv("PERDURE_NATS_TOKEN"); token != "" {
		options = append(options, nats.Token(token))
	}
	if user := os.Getenv("PERDURE_NATS_USER"); user != "" {
		options = append(options, nats.UserInfo(user, os.Getenv("PERDURE_NATS_PASSWORD")))
	}
	if file := os.Getenv("PERDURE_NATS_CREDS"); file != "" {
		options = append(options, nats.UserCredentials(file))
	}
	if file := os.Getenv("PERDURE_NATS_NKEY_SEED_FILE"); file != "" {
		seed, err := nats.NkeyOptionFromSeed(file)
		if err != nil {
			return "", nil, fmt.Errorf("perdure: PERDURE_NATS_NKEY_SEED_FILE: %w", err)
		}
		options = append(options, seed)
	}
	if file := os.Getenv("PERDURE_NATS_CA"); file != "" {
		options = append(options, nats.RootCAs(file))
	}
	certificate, key := os.Getenv("PERDURE_NATS_CERT"), os.Getenv("PERDURE_NATS_KEY")
	if (certificate == "") != (key == "") {
		return "", nil, errors.New("perdure: PERDURE_NATS_CERT and PERDURE_NATS_KEY go together")
	}
	if certificate != "" {
		options = append(options, nats.ClientCert(certificate, key))
	}
	return server, options, nil
}

// connect waits for a server as long as ctx lasts, but not for one that refuses this worker.
func connect(
	ctx context.Context, server string, options []nats.Option, logger *slog.Logger,
) (*nats.Conn, error) {
	closings := 0
	for wait := firstWait; ; wait = min(2*wait, longWait) {
		connection, err := nats.Connect(server, options...)
		if err == nil {
			return connection, nil
		}
		if isClosedAfterHandshake(err) {
			closings++
		} else {
			closings = 0
		}
		if isRefusal(err) || closings >= maximumClosings {
			return nil, &AccessError{Server: Redact(server), Cause: err}
		}
		logger.Info("waiting for NATS", "server", Redact(server), "error", err)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}

func isRefusal(err error) bool {
	for _, refusal := range []error{
		nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked,
		nats.ErrAccountAuthExpired, nats.ErrNkeysNotSupported, nats.ErrSecureConnRequired,
		nats.ErrSecureConnWanted, nats.ErrInvalidArg,
	} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	// Files that cannot be read and certificates that do not verify have no error of their own.
	var path *os.PathError
	return errors.As(err, &path) || strings.Contains(err.Error(), "x509:") ||
		strings.Contains(err.Error(), "remote error: tls:") ||
		strings.Contains(strings.ToLower(err.Error()), "authorization violation")
}

// isClosedAfterHandshake tells how a server refuses a client certificate under TLS 1.3 when its
// reason is lost with the connection; a server that is just ending looks the same once.
func isClosedAfterHandshake(err error) bool {
	return strings.Contains(err.Error(), "after TLS handshake")
}

// Redact hides passwords in addresses.
func Redact(server string) string {
	addresses := strings.Split(server, ",")
	for index, address := range addresses {
		if parsed, err := url.Parse(strings.TrimSpace(address)); err == nil {
			if parsed.User != nil {
				parsed.User = url.User("…")
			}
			addresses[index] = parsed.String()
		}
	}
	return strings.Join(addresses, ",")
}
