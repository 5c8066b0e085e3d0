package envelope

import "github.com/perdure/perdure-go/internal/payload"

// Types of errors that the worker itself raises.
const (
	TypeBusy                = "Busy"
	TypeDraining            = "Draining"
	TypeUnknownActivity     = "UnknownActivity"
	TypeUnsupportedProtocol = "UnsupportedProtocol"
	TypeInvalidArguments    = "InvalidArguments"
	TypeUnencodableResult   = "UnencodableResult"
	TypePayloadTooLarge     = "PayloadTooLarge"
	TypeDeadlineExceeded    = "DeadlineExceeded"
	TypePanic               = "Panic"
)

// MaximumCauses is how deep a chain of causes may travel.
const MaximumCauses = 16

// Failure is the error document. Pointers stand where a missing field has a default other than
// the zero value.
type Failure struct {
	Type         string          `json:"type"`
	Message      string          `json:"message"`
	Stack        string          `json:"stack"`
	Details      []payload.Value `json:"details"`
	Retryable    *bool           `json:"retryable,omitempty"`
	RetryAfterMs *int64          `json:"retry_after_ms,omitempty"`
	Started      *bool           `json:"started,omitempty"`
	Cause        *Failure        `json:"cause,omitempty"`
}

// IsRetryable gives the field or its default.
func (f *Failure) IsRetryable() bool { return f.Retryable == nil || *f.Retryable }

// NotStarted is a failure of a task whose handler has not begun.
func NotStarted(kind, message string, retryable bool) *Failure {
	started := false
	return &Failure{Type: kind, Message: message, Retryable: &retryable, Started: &started}
}

// Raised is a failure that the worker itself raises after the handler has begun.
func Raised(kind, message string, retryable bool) *Failure {
	return &Failure{Type: kind, Message: message, Retryable: &retryable}
}
