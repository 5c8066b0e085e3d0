// Package envelope holds the documents of the bridge protocol and their two forms: frames and
// NATS messages. It moves no bytes.
package envelope

import (
	"errors"
	"fmt"

	"github.com/perdure/perdure-go/internal/payload"
)

// Protocol is the version of the envelope that this module speaks.
const Protocol = 0

// Kinds of frames.
const (
	KindHello     = "hello"
	KindWelcome   = "welcome"
	KindTask      = "task"
	KindCancel    = "cancel"
	KindInventory = "inventory"
	KindDrain     = "drain"
	KindAttach    = "attach"
	KindAccepted  = "accepted"
	KindHeartbeat = "heartbeat"
	KindResult    = "result"
	KindError     = "error"
	KindCancelled = "cancelled"
	KindLiveness  = "liveness"
	KindDraining  = "draining"
)

// Task is one attempt of one activity.
type Task struct {
	Protocol           int64             `json:"protocol"`
	Task               string            `json:"task"`
	Nonce              string            `json:"nonce"`
	Activity           string            `json:"activity"`
	Namespace          string            `json:"namespace"`
	WorkflowID         string            `json:"workflow_id"`
	WorkflowType       string            `json:"workflow_type"`
	RunID              string            `json:"run_id"`
	Attempt            int64             `json:"attempt"`
	IdempotencyKey     string            `json:"idempotency_key"`
	FencingToken       uint64            `json:"fencing_token"`
	ScheduledAtMs      int64             `json:"scheduled_at_ms"`
	DeadlineMs         int64             `json:"deadline_ms"`
	HeartbeatTimeoutMs int64             `json:"heartbeat_timeout_ms"`
	HeartbeatDetails   payload.Value     `json:"heartbeat_details,omitzero"`
	LastFailure        *Failure          `json:"last_failure,omitempty"`
	Headers            map[string]string `json:"headers,omitempty"`
	Arguments          payload.Value     `json:"arguments,omitzero"`
}

// Reply is accepted, heartbeat, result, error or cancelled.
type Reply struct {
	Frame   string        `json:"frame"`
	Task    string        `json:"task"`
	Nonce   string        `json:"nonce"`
	Value   payload.Value `json:"value,omitzero"`
	Details payload.Value `json:"details,omitzero"`
	Error   *Failure      `json:"error,omitempty"`
}

// IsFinal reports whether the reply ends its task.
func (r *Reply) IsFinal() bool {
	return r.Frame == KindResult || r.Frame == KindError || r.Frame == KindCancelled
}

// Control is any of the small frames: cancel, inventory, drain, attach, welcome.
type Control struct {
	Frame    string `json:"frame"`
	Instance string `json:"instance,omitempty"`
	Task     string `json:"task,omitempty"`
	Nonce    string `json:"nonce,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Reply    string `json:"reply,omitempty"`

	Protocol           int64            `json:"protocol,omitempty"`
	Encoding           payload.Encoding `json:"encoding,omitempty"`
	Engine             string           `json:"engine,omitempty"`
	LivenessIntervalMs int64            `json:"liveness_interval_ms,omitempty"`
}

// Hello introduces a worker.
type Hello struct {
	Frame       string             `json:"frame"`
	Protocol    int64              `json:"protocol"`
	Service     string             `json:"service"`
	Instance    string             `json:"instance"`
	Language    string             `json:"language"`
	SDK         string             `json:"sdk"`
	Concurrency int64              `json:"concurrency"`
	Activities  []Activity         `json:"activities"`
	Accept      []payload.Encoding `json:"accept"`
	Profile     string             `json:"profile"`
}

// Activity is what hello tells of one activity.
type Activity struct {
	Name string `json:"name"`
}

// Liveness lists the tasks that a worker holds.
type Liveness struct {
	Frame       string   `json:"frame"`
	Instance    string   `json:"instance"`
	Concurrency int64    `json:"concurrency"`
	Tasks       []string `json:"tasks"`
}

// MalformedError is a document that breaks the protocol; the connection cannot go on.
type MalformedError struct {
	What  string
	Cause error
}

func (e *MalformedError) Error() string {
	if e.Cause == nil {
		return "malformed frame: " + e.What
	}
	return fmt.Sprintf("malformed frame: %s: %v", e.What, e.Cause)
}

func (e *MalformedError) Unwrap() error { return e.Cause }

// RefusedTaskError is a task with a payload that cannot be read; only this task fails.
type RefusedTaskError struct {
	Task  string
	Nonce string
	Cause error
}

func (e *RefusedTaskError) Error() string {
	return fmt.Sprintf("task %s is refused: %v", e.Task, e.Cause)
}

func (e *RefusedTaskError) Unwrap() error { return e.Cause }

// taskFrame also serves the other frames: one pass over the bytes finds kind and fields.
type engineFrame struct {
	Task
	Frame    string           `json:"frame"`
	Instance string           `json:"instance"`
	Reason   string           `json:"reason"`
	Reply    string           `json:"reply"`
	Encoding payload.Encoding `json:"encoding"`
	Engine   string           `json:"engine"`
	Liveness int64            `json:"liveness_interval_ms"`
}

// Decode reads a document from the engine: a *Task, a *Control, or nil for a frame that is to be
// ignored. The values inside point into document.
func Decode(document []byte, encoding payload.Encoding) (any, error) {
	frame := engineFrame{Task: newTask(), Liveness: 5000}
	if err := payload.UnmarshalDocument(document, encoding, &frame); err != nil {
		return nil, salvage(document, encoding, err)
	}
	switch frame.Frame {
	case KindTask:
		if frame.Task.Task == "" || frame.Activity == "" {
			return nil, &MalformedError{What: "a task needs task and activity"}
		}
		task := frame.Task
		return &task, nil
	case KindCancel:
		if frame.Task.Task == "" {
			return nil, &MalformedError{What: "a cancel needs task"}
		}
	case KindInventory, KindDrain, KindAttach, KindWelcome:
	case "":
		return nil, &MalformedError{What: "a document needs frame"}
	default:
		return nil, nil
	}
	return &Control{
		Frame: frame.Frame, Instance: frame.Instance, Task: frame.Task.Task, Nonce: frame.Nonce,
		Reason: frame.Reason, Reply: frame.Reply, Protocol: frame.Protocol,
		Encoding: frame.Encoding, Engine: frame.Engine, LivenessIntervalMs: frame.Liveness,
	}, nil
}

func newTask() Task { return Task{Namespace: "default", Attempt: 1} }

// salvage decides whether refused bytes cost one task or the connection.
func salvage(document []byte, encoding payload.Encoding, cause error) error {
	var refused *payload.RefusedError
	var found struct {
		Frame string `json:"frame"`
		Task  string `json:"task"`
		Nonce string `json:"nonce"`
	}
	soft := errors.As(cause, &refused) && refused.Reason != payload.Malformed
	if soft && payload.Salvage(document, encoding, &found) == nil &&
		found.Frame == KindTask && found.Task != "" {
		return &RefusedTaskError{Task: found.Task, Nonce: found.Nonce, Cause: cause}
	}
	return &MalformedError{What: "not a document of the protocol", Cause: cause}
}

// Encode writes a document.
func Encode(document any, encoding payload.Encoding) ([]byte, error) {
	return payload.Marshal(document, encoding)
}
