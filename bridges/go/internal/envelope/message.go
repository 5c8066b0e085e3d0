package envelope

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/perdure/perdure-go/internal/payload"
)

// Headers are those of a NATS message, kept apart from the client library.
type Headers map[string][]string

func (h Headers) get(name string) string {
	if values := h[name]; len(values) > 0 {
		return unescape(values[0])
	}
	return ""
}

// Values of Pd-Status and the frames they stand for.
var statuses = map[string]string{
	KindAccepted: "accepted", KindHeartbeat: "heartbeat", KindResult: "ok", KindError: "error",
	KindCancelled: "cancelled",
}

const userHeader = "Pd-H-"

// DecodeMessage reads a task message. The error is a *RefusedTaskError, which can be answered, or
// a *MalformedError, which cannot.
func DecodeMessage(headers Headers, body []byte, activity string) (*Task, payload.Encoding, error) {
	task := newTask()
	task.Task, task.Nonce = headers.get("Pd-Task"), headers.get("Pd-Nonce")
	if task.Task == "" {
		return nil, "", &MalformedError{What: "a task message needs Pd-Task"}
	}
	encoding := payload.JSON
	if named := headers.get("Content-Type"); named != "" {
		encoding = payload.Encoding(named)
	}
	if err := task.read(headers, body, encoding, activity); err != nil {
		if encoding != payload.MessagePack {
			encoding = payload.JSON
		}
		return nil, encoding, &RefusedTaskError{Task: task.Task, Nonce: task.Nonce, Cause: err}
	}
	return &task, encoding, nil
}

func (t *Task) read(
	headers Headers, body []byte, encoding payload.Encoding, activity string,
) error {
	t.Activity = activity
	t.WorkflowID = headers.get("Pd-Workflow-Id")
	t.WorkflowType = headers.get("Pd-Workflow-Type")
	t.RunID = headers.get("Pd-Run-Id")
	t.IdempotencyKey = headers.get("Pd-Idempotency-Key")
	if namespace := headers.get("Pd-Namespace"); namespace != "" {
		t.Namespace = namespace
	}
	for _, number := range []struct {
		header string
		target *int64
	}{
		{"Pd-Protocol", &t.Protocol}, {"Pd-Attempt", &t.Attempt},
		{"Pd-Scheduled-At", &t.ScheduledAtMs}, {"Pd-Deadline", &t.DeadlineMs},
		{"Pd-Heartbeat", &t.HeartbeatTimeoutMs},
	} {
		if err := readNumber(headers, number.header, number.target); err != nil {
			return err
		}
	}
	if text := headers.get("Pd-Fencing-Token"); text != "" {
		token, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return fmt.Errorf("no unsigned integer in Pd-Fencing-Token: %q", text)
		}
		t.FencingToken = token
	}
	t.readUserHeaders(headers)
	if err := t.readContext(headers, encoding); err != nil {
		return err
	}
	return t.readArguments(body, encoding)
}

func readNumber(headers Headers, name string, target *int64) error {
	text := headers.get(name)
	if text == "" {
		return nil
	}
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("no integer in %s: %q", name, text)
	}
	*target = number
	return nil
}

func (t *Task) readUserHeaders(headers Headers) {
	for name := range headers {
		switch {
		case name == "traceparent":
			t.setHeader(name, headers.get(name))
		case strings.HasPrefix(name, userHeader):
			t.setHeader(strings.TrimPrefix(name, userHeader), headers.get(name))
		}
	}
}

func (t *Task) setHeader(name, value string) {
	if t.Headers == nil {
		t.Headers = map[string]string{}
	}
	t.Headers[name] = value
}

func (t *Task) readContext(headers Headers, encoding payload.Encoding) error {
	text := headers.get("Pd-Context")
	if text == "" {
		return nil
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("no base64 in Pd-Context: %w", err)
	}
	var context struct {
		HeartbeatDetails payload.Value `json:"heartbeat_details"`
		LastFailure      *Failure      `json:"last_failure"`
	}
	if err := payload.UnmarshalDocument(raw, encoding, &context); err != nil {
		return fmt.Errorf("in Pd-Context: %w", err)
	}
	t.HeartbeatDetails, t.LastFailure = context.HeartbeatDetails, context.LastFailure
	return nil
}

// readArguments only sees that the body is a list; the handler reads it in one pass.
func (t *Task) readArguments(body []byte, encoding payload.Encoding) error {
	if err := payload.UnmarshalDocument(body, encoding, &t.Arguments); err != nil {
		return err
	}
	if !t.Arguments.IsList() {
		return errors.New("the body is no list of arguments")
	}
	return nil
}

// EncodeMessage writes a reply as headers and body.
func EncodeMessage(reply *Reply, encoding payload.Encoding) (Headers, []byte, error) {
	headers := Headers{
		"Pd-Task":   {escape(reply.Task)},
		"Pd-Nonce":  {escape(reply.Nonce)},
		"Pd-Status": {statuses[reply.Frame]},
	}
	var body []byte
	var err error
	switch {
	case reply.Frame == KindResult:
		body, err = reply.Value.Encode(encoding)
	case reply.Frame == KindError:
		body, err = payload.Marshal(reply.Error, encoding)
	case !reply.Details.IsZero():
		body, err = reply.Details.Encode(encoding)
	default:
		return headers, nil, nil
	}
	headers["Content-Type"] = []string{string(encoding)}
	return headers, body, err
}

// escape percent-encodes what is not printable ASCII, and %.
func escape(text string) string {
	for index := 0; index < len(text); index++ {
		if !isPlain(text[index]) {
			return escapeFrom(text, index)
		}
	}
	return text
}

func isPlain(character byte) bool {
	return character > ' ' && character <= '~' && character != '%'
}

func escapeFrom(text string, index int) string {
	var out strings.Builder
	out.WriteString(text[:index])
	for ; index < len(text); index++ {
		if isPlain(text[index]) {
			out.WriteByte(text[index])
		} else {
			fmt.Fprintf(&out, "%%%02X", text[index])
		}
	}
	return out.String()
}

// unescape decodes every %XX and leaves a stray % alone.
func unescape(text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	var out strings.Builder
	for index := 0; index < len(text); index++ {
		if text[index] == '%' && index+2 < len(text) {
			if code, err := strconv.ParseUint(text[index+1:index+3], 16, 8); err == nil {
				out.WriteByte(byte(code))
				index += 2
				continue
			}
		}
		out.WriteByte(text[index])
	}
	return out.String()
}
