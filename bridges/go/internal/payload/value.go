package payload

import (
	"bytes"
	"fmt"
	"reflect"
)

// Encoding names a profile by its media type.
type Encoding string

// The two profiles.
const (
	JSON        Encoding = "application/json"
	MessagePack Encoding = "application/msgpack"
)

// Value is one value as it travelled, unread. As a field, an argument or a result it keeps what a
// struct would forget: unknown fields, the order of keys, null against missing. The zero Value is
// null. A Value is immutable.
type Value struct {
	profile Encoding
	raw     []byte
}

// NewValue takes a Go value by the mapping of this package.
func NewValue(from any) (Value, error) {
	encoded, err := Marshal(from, MessagePack)
	return Value{MessagePack, encoded}, err
}

// Parse takes one encoded value and refuses what the protocol refuses. It keeps the bytes.
func Parse(encoded []byte, encoding Encoding) (Value, error) {
	in, err := newSource(encoded, encoding, levels{limit: PayloadDepth})
	if err != nil {
		return Value{}, err
	}
	if err := skip(in); err != nil {
		return Value{}, err
	}
	return Value{encoding, encoded}, in.end()
}

// IsNull reports whether the value is null.
func (v Value) IsNull() bool {
	if v.profile == JSON {
		return string(bytes.TrimSpace(v.raw)) == "null"
	}
	return len(v.raw) == 0 || v.raw[0] == 0xc0
}

// IsList reports whether the value is a list.
func (v Value) IsList() bool {
	encoding, raw := v.encoded()
	if encoding == JSON {
		return bytes.HasPrefix(bytes.TrimSpace(raw), []byte("["))
	}
	return raw[0]>>4 == 9 || raw[0] == 0xdc || raw[0] == 0xdd
}

// IsZero reports whether nothing was ever put into the value. It still counts as null.
func (v Value) IsZero() bool { return v.raw == nil }

// Size is the number of bytes that the value takes as it travelled.
func (v Value) Size() int { return len(v.raw) }

// Decode reads the value into what target points to.
func (v Value) Decode(target any) error {
	encoding, raw := v.encoded()
	return Unmarshal(raw, encoding, target)
}

// Encode gives the value in a profile. The bytes must not be changed.
func (v Value) Encode(encoding Encoding) ([]byte, error) {
	own, raw := v.encoded()
	if own == encoding {
		return raw, nil
	}
	out, err := newSink(encoding, make([]byte, 0, len(raw)+len(raw)/2))
	if err != nil {
		return nil, err
	}
	if err := v.writeTo(out); err != nil {
		return nil, err
	}
	return out.output(), nil
}

// String gives the JSON profile, for people and logs.
func (v Value) String() string {
	text, err := v.Encode(JSON)
	if err != nil {
		return fmt.Sprintf("(%v)", err)
	}
	return string(text)
}

func (v Value) encoded() (Encoding, []byte) {
	if len(v.raw) == 0 {
		return MessagePack, []byte{0xc0}
	}
	return v.profile, v.raw
}

func (v Value) writeTo(out sink) error {
	encoding, raw := v.encoded()
	if encoding == out.encoding() {
		out.raw(raw)
		return nil
	}
	in, err := newSource(raw, encoding, levels{limit: DocumentDepth})
	if err != nil {
		return err
	}
	return transcode(in, out)
}

func newSource(encoded []byte, encoding Encoding, levels levels) (source, error) {
	switch encoding {
	case MessagePack:
		return &msgpackSource{levels: levels, data: encoded}, nil
	case JSON:
		return &jsonSource{levels: levels, data: encoded}, nil
	}
	return nil, refuse(Malformed, fmt.Sprintf("unknown encoding %q", encoding))
}

func newSink(encoding Encoding, into []byte) (sink, error) {
	switch encoding {
	case MessagePack:
		return &msgpackSink{out: into}, nil
	case JSON:
		return &jsonSink{out: into}, nil
	}
	return nil, refuse(Malformed, fmt.Sprintf("unknown encoding %q", encoding))
}

// readRaw takes the next value as it stands.
func readRaw(in source, encoding Encoding) (Value, error) {
	start := in.position()
	if err := skip(in); err != nil {
		return Value{}, err
	}
	end := in.position()
	return Value{encoding, in.input()[start:end:end]}, nil
}

// transcode copies one value from one profile to the other.
func transcode(in source, out sink) error {
	var head token
	if err := in.next(&head); err != nil {
		return err
	}
	switch head.kind {
	case kindList:
		return transcodeList(in, out, head.length)
	case kindMap:
		return transcodeMap(in, out, head.length)
	}
	return writeScalar(&head, out)
}

func writeScalar(head *token, out sink) error {
	switch head.kind {
	case kindNull:
		out.null()
	case kindBool:
		out.boolean(head.boolean)
	case kindInteger:
		out.integer(head.integer)
	case kindUnsigned:
		out.unsigned(head.unsigned)
	case kindFloat:
		out.float(head.float)
	case kindString:
		return out.text(string(head.text))
	case kindBytes:
		out.bytes(head.text)
	case kindTimestamp:
		return out.timestamp(head.moment)
	case kindDuration:
		out.duration(durationOf(head))
	case kindDecimal:
		return out.decimal(string(head.text))
	case kindUUID:
		out.uuid(head.id)
	}
	return nil
}

func transcodeList(in source, out sink, length int) error {
	if err := out.openList(length); err != nil {
		return err
	}
	for index := 0; ; index++ {
		more, err := in.item(index, length)
		if err != nil {
			return err
		}
		if !more {
			out.closeList(index)
			return nil
		}
		if err := transcode(in, out); err != nil {
			return withinIndex(err, index)
		}
	}
}

func transcodeMap(in source, out sink, length int) error {
	if err := out.openMap(length); err != nil {
		return err
	}
	for index := 0; ; index++ {
		borrowed, more, err := in.key(index, length)
		if err != nil {
			return err
		}
		if !more {
			out.closeMap(index)
			return nil
		}
		key := string(borrowed)
		if err := out.key(key); err != nil {
			return err
		}
		if err := transcode(in, out); err != nil {
			return withinKey(err, key)
		}
	}
}

// Arguments reads a list of arguments into as many targets. A pointer target may be missing at
// the end; anything else is as wrong as an argument too many.
func (v Value) Arguments(targets ...reflect.Value) error {
	encoding, raw := v.encoded()
	// The list around the arguments is no part of any of them.
	in, err := newSource(raw, encoding, levels{limit: PayloadDepth + 1})
	if err != nil {
		return err
	}
	var head token
	if err := in.next(&head); err != nil {
		return err
	}
	if head.kind != kindList {
		return wrongKind(&head, "a list of arguments")
	}
	for index := 0; ; index++ {
		more, err := in.item(index, head.length)
		if err != nil {
			return err
		}
		if !more {
			return missingArguments(targets, index)
		}
		if index == len(targets) {
			return refuse(WrongKind, fmt.Sprintf("more than %d arguments", len(targets)))
		}
		if err := decodeInto(in, targets[index]); err != nil {
			return withinIndex(err, index)
		}
	}
}

func missingArguments(targets []reflect.Value, given int) error {
	for _, target := range targets[given:] {
		if target.Kind() != reflect.Pointer {
			return refuse(WrongKind, fmt.Sprintf("%d arguments, expected %d", given, len(targets)))
		}
	}
	return nil
}

// Encode takes a Go value straight into the wanted profile.
func Encode(from any, encoding Encoding) (Value, error) {
	encoded, err := Marshal(from, encoding)
	return Value{encoding, encoded}, err
}
