package envelope

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/perdure/perdure-go/internal/payload"
)

func readVectors(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "protocol", "vectors", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// same compares two documents as trees; NaN equals NaN.
func same(t *testing.T, got []byte, encoding payload.Encoding, want string) {
	t.Helper()
	trees := [2][]byte{}
	for index, document := range []struct {
		raw      []byte
		encoding payload.Encoding
	}{{got, encoding}, {[]byte(want), payload.JSON}} {
		var tree any
		if err := payload.UnmarshalDocument(document.raw, document.encoding, &tree); err != nil {
			t.Fatal(err)
		}
		encoded, err := payload.Marshal(tree, payload.JSON)
		if err != nil {
			t.Fatal(err)
		}
		trees[index] = encoded
	}
	if !bytes.Equal(trees[0], trees[1]) {
		t.Errorf("\n got %s\nwant %s", trees[0], trees[1])
	}
}

type frameVector struct {
	Name, Direction, JSON string
	JSONFrameHex          string `json:"json_frame_hex"`
	MsgpackFrameHex       string `json:"msgpack_frame_hex"`
	Ignored, Malformed    bool
}

func TestFramesFromTheEngineAreRead(t *testing.T) {
	var vectors []frameVector
	readVectors(t, "frames.json", &vectors)
	seen := 0
	for _, vector := range vectors {
		if vector.Direction != "engine \u2192 worker" {
			continue
		}
		seen++
		t.Run(vector.Name, func(t *testing.T) {
			checkFrame(t, vector, unhex(t, vector.JSONFrameHex)[4:], payload.JSON)
			if vector.MsgpackFrameHex != "" {
				checkFrame(t, vector, unhex(t, vector.MsgpackFrameHex)[4:], payload.MessagePack)
			}
		})
	}
	if seen < 15 {
		t.Errorf("only %d vectors", seen)
	}
}

func checkFrame(t *testing.T, vector frameVector, document []byte, encoding payload.Encoding) {
	t.Helper()
	frame, err := Decode(document, encoding)
	var malformed *MalformedError
	if errors.As(err, &malformed) != vector.Malformed {
		t.Fatalf("%v", err)
	}
	if vector.Malformed {
		return
	}
	if (frame == nil) != vector.Ignored {
		t.Fatalf("read as %+v", frame)
	}
	switch frame := frame.(type) {
	case *Task:
		checkTask(t, frame, encoding, vector.JSON)
	case *Control:
		var want struct{ Frame, Task, Reason, Instance, Nonce, Reply string }
		if err := json.Unmarshal([]byte(vector.JSON), &want); err != nil {
			t.Fatal(err)
		}
		if frame.Frame != want.Frame || frame.Task != want.Task || frame.Reason != want.Reason ||
			frame.Instance != want.Instance || frame.Nonce != want.Nonce ||
			frame.Reply != want.Reply {
			t.Errorf("%+v, want %+v", frame, want)
		}
	}
}

// checkTask writes the task again and compares what both documents say, defaults included.
func checkTask(t *testing.T, task *Task, encoding payload.Encoding, want string) {
	t.Helper()
	full := map[string]payload.Value{}
	if err := payload.UnmarshalDocument([]byte(want), payload.JSON, &full); err != nil {
		t.Fatal(err)
	}
	if !task.HeartbeatDetails.IsZero() != has(full, "heartbeat_details") {
		t.Errorf("heartbeat details %v", task.HeartbeatDetails)
	}
	own, err := Encode(task, encoding)
	if err != nil {
		t.Fatal(err)
	}
	written := map[string]payload.Value{}
	if err := payload.UnmarshalDocument(own, encoding, &written); err != nil {
		t.Fatal(err)
	}
	for key, value := range full {
		switch key {
		case "frame", "colour", "priority", "last_failure":
			continue
		}
		got, err := written[key].Encode(payload.JSON)
		if err != nil {
			t.Fatal(err)
		}
		same(t, got, payload.JSON, value.String())
	}
	if has(full, "last_failure") != (task.LastFailure != nil) {
		t.Errorf("last failure %v", task.LastFailure)
	}
	if !has(full, "attempt") && task.Attempt != 1 ||
		!has(full, "namespace") && task.Namespace != "default" {
		t.Errorf("defaults: %+v", task)
	}
}

func has(document map[string]payload.Value, key string) bool {
	_, found := document[key]
	return found
}

// The frames that this worker writes are those of the vectors, byte for byte but for key order.
func TestFramesFromTheWorkerAreWritten(t *testing.T) {
	var vectors []frameVector
	readVectors(t, "frames.json", &vectors)
	written := map[string]any{
		"accepted": &Reply{}, "heartbeat": &Reply{}, "heartbeat_bare": &Reply{}, "result": &Reply{},
		"result_null": &Reply{}, "error": &Reply{}, "cancelled": &Reply{},
		"cancelled_details": &Reply{}, "hello": &Hello{}, "liveness": &Liveness{},
		"liveness_idle": &Liveness{},
	}
	for _, vector := range vectors {
		document, known := written[vector.Name]
		if !known {
			continue
		}
		delete(written, vector.Name)
		for _, encoding := range []payload.Encoding{payload.JSON, payload.MessagePack} {
			err := payload.UnmarshalDocument([]byte(vector.JSON), payload.JSON, document)
			if err != nil {
				t.Fatal(err)
			}
			encoded, err := Encode(document, encoding)
			if err != nil {
				t.Fatal(err)
			}
			same(t, encoded, encoding, vector.JSON)
		}
	}
	if len(written) != 0 {
		t.Errorf("no vectors for %v", written)
	}
}

type messageVector struct {
	Name, Subject string
	Headers       map[string]string
	BodyText      string  `json:"body_text"`
	BodyHex       *string `json:"body_hex"`
	Frame         string
	Refused       string
	Dropped       bool
}

func (v messageVector) body(t *testing.T) []byte {
	if v.BodyHex != nil {
		return unhex(t, *v.BodyHex)
	}
	return []byte(v.BodyText)
}

func TestMessages(t *testing.T) {
	var vectors []messageVector
	readVectors(t, "nats.json", &vectors)
	tasks, replies := 0, 0
	for _, vector := range vectors {
		headers := Headers{}
		for name, value := range vector.Headers {
			headers[name] = []string{value}
		}
		t.Run(vector.Name, func(t *testing.T) {
			switch {
			case vector.Headers["Pd-Status"] != "":
				replies++
				checkReplyMessage(t, vector, headers)
			case bytes.HasPrefix([]byte(vector.Subject), []byte("pd.a.")):
				tasks++
				checkTaskMessage(t, vector, headers)
			}
		})
	}
	if tasks < 10 || replies < 9 {
		t.Errorf("only %d tasks and %d replies", tasks, replies)
	}
}

func checkTaskMessage(t *testing.T, vector messageVector, headers Headers) {
	t.Helper()
	activity := vector.Subject[len("pd.a.default.goaudit."):]
	task, encoding, err := DecodeMessage(headers, vector.body(t), activity)
	var malformed *MalformedError
	var refused *RefusedTaskError
	switch {
	case vector.Dropped:
		if !errors.As(err, &malformed) {
			t.Errorf("%v", err)
		}
	case vector.Refused == TypeInvalidArguments:
		if !errors.As(err, &refused) || refused.Task != headers.get("Pd-Task") ||
			refused.Nonce != "n" {
			t.Errorf("%v", err)
		}
	case vector.Refused == TypeUnsupportedProtocol:
		if err != nil || task.Protocol <= Protocol {
			t.Errorf("%+v %v", task, err)
		}
	case err != nil:
		t.Error(err)
	default:
		checkTask(t, task, encoding, vector.Frame)
	}
}

func checkReplyMessage(t *testing.T, vector messageVector, want Headers) {
	t.Helper()
	encoding := payload.Encoding(vector.Headers["Content-Type"])
	reply := &Reply{}
	if err := payload.UnmarshalDocument([]byte(vector.Frame), payload.JSON, reply); err != nil {
		t.Fatal(err)
	}
	headers, body, err := EncodeMessage(reply, encoding)
	if err != nil {
		t.Fatal(err)
	}
	for name := range want {
		if headers.get(name) != want.get(name) {
			t.Errorf("%s: %q, want %q", name, headers.get(name), want.get(name))
		}
	}
	if len(headers) != len(want) {
		t.Errorf("headers %v, want %v", headers, want)
	}
	if len(vector.body(t)) == 0 {
		if len(body) != 0 {
			t.Errorf("body %q", body)
		}
		return
	}
	text, err := payload.Parse(vector.body(t), encoding)
	if err != nil {
		t.Fatal(err)
	}
	same(t, body, encoding, text.String())
}

func TestErrorDocumentsHaveDefaultsAndCauses(t *testing.T) {
	var vectors []struct {
		Name, JSON string
		MsgpackHex string `json:"msgpack_hex"`
	}
	readVectors(t, "errors.json", &vectors)
	want := map[string]struct {
		retryable bool
		depth     int
	}{
		"minimal": {true, 1}, "empty": {true, 1}, "busy": {true, 1}, "nested_3": {true, 3},
		"unknown_fields": {true, 2},
	}
	for _, vector := range vectors {
		for encoding, document := range map[payload.Encoding][]byte{
			payload.JSON: []byte(vector.JSON), payload.MessagePack: unhex(t, vector.MsgpackHex),
		} {
			var failure Failure
			if err := payload.UnmarshalDocument(document, encoding, &failure); err != nil {
				t.Fatal(err)
			}
			depth := 0
			for cause := &failure; cause != nil; cause = cause.Cause {
				depth++
			}
			expected := want[vector.Name]
			if failure.IsRetryable() != expected.retryable || depth != expected.depth {
				t.Errorf("%s: retryable %v, depth %d", vector.Name, failure.IsRetryable(), depth)
			}
			if vector.Name == "nested_3" {
				encoded, err := Encode(&failure, encoding)
				if err != nil {
					t.Fatal(err)
				}
				same(t, encoded, encoding, vector.JSON)
			}
		}
	}
	if len(vectors) != len(want) {
		t.Errorf("%d vectors, want %d", len(vectors), len(want))
	}
}

func TestPercentEncoding(t *testing.T) {
	for plain, escaped := range map[string]string{
		"audit/café 100%": "audit/caf%C3%A9%20100%25", "": "", "\x00\n": "%00%0A", "~!": "~!",
	} {
		if got := escape(plain); got != escaped {
			t.Errorf("escape(%q) = %q", plain, got)
		}
		if got := unescape(escaped); got != plain {
			t.Errorf("unescape(%q) = %q", escaped, got)
		}
	}
	if got := unescape("100%zz%4"); got != "100%zz%4" {
		t.Errorf("stray signs: %q", got)
	}
}
