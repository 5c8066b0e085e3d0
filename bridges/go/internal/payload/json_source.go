package payload

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// maximumSafe is the largest integer that JSON carries as plain digits: 2^53 − 1.
const maximumSafe = 1<<53 - 1

type jsonSource struct {
	levels
	data   []byte
	offset int
	// pending is the first key of a map, already read to see whether the object is a tag.
	pending    []byte
	hasPending bool
	// empty says that the map head just read was {}.
	empty bool
}

func (s *jsonSource) input() []byte { return s.data }

func (s *jsonSource) position() int {
	s.space()
	return s.offset
}

func (s *jsonSource) end() error {
	if s.space(); s.offset != len(s.data) {
		return refuse(Malformed, "there is more after the value")
	}
	return nil
}

func (s *jsonSource) space() {
	for s.offset < len(s.data) {
		switch s.data[s.offset] {
		case ' ', '\t', '\n', '\r':
			s.offset++
		default:
			return
		}
	}
}

// peek gives the next byte behind white space, or 0 at the end.
func (s *jsonSource) peek() byte {
	s.space()
	if s.offset < len(s.data) {
		return s.data[s.offset]
	}
	return 0
}

func (s *jsonSource) unexpected() error {
	if s.offset >= len(s.data) {
		return refuse(Malformed, "the JSON is cut short")
	}
	return refuse(Malformed, fmt.Sprintf("unexpected %q at byte %d", s.data[s.offset], s.offset))
}

func (s *jsonSource) next(out *token) error {
	switch character := s.peek(); {
	case character == '"':
		text, err := s.quoted()
		out.kind, out.text = kindString, text
		return err
	case character == '{':
		return s.object(out)
	case character == '[':
		s.offset++
		out.kind, out.length = kindList, -1
		return s.open(false)
	case character == '-' || character >= '0' && character <= '9':
		return s.number(out)
	case character == 't' && s.word("true"):
		out.kind, out.boolean = kindBool, true
	case character == 'f' && s.word("false"):
		out.kind, out.boolean = kindBool, false
	case character == 'n' && s.word("null"):
		out.kind = kindNull
	default:
		return s.unexpected()
	}
	return nil
}

func (s *jsonSource) word(word string) bool {
	if !strings.HasPrefix(string(s.data[s.offset:min(len(s.data), s.offset+len(word))]), word) {
		return false
	}
	s.offset += len(word)
	return true
}

func (s *jsonSource) item(index, _ int) (bool, error) {
	switch character := s.peek(); {
	case character == ']':
		s.offset++
		s.closeList()
		return false, nil
	case index == 0:
		return true, nil
	case character != ',':
		return false, s.unexpected()
	}
	s.offset++
	return true, nil
}

func (s *jsonSource) key(index, _ int) ([]byte, bool, error) {
	if s.hasPending {
		key := s.pending
		s.pending, s.hasPending = nil, false
		return key, true, s.addKey(key)
	}
	if s.empty || index > 0 && s.peek() == '}' {
		if !s.empty {
			s.offset++
		}
		s.empty = false
		s.closeMap()
		return nil, false, nil
	}
	if s.peek() != ',' {
		return nil, false, s.unexpected()
	}
	s.offset++
	raw, err := s.rawKey()
	if err != nil {
		return nil, false, err
	}
	key, isTag := unescapeKey(raw)
	if isTag && !s.lenient {
		return nil, false, unknownTag(raw)
	}
	return key, true, s.addKey(key)
}

// rawKey reads a key and its colon.
func (s *jsonSource) rawKey() ([]byte, error) {
	if s.peek() != '"' {
		return nil, s.unexpected()
	}
	raw, err := s.quoted()
	if err != nil {
		return nil, err
	}
	if s.peek() != ':' {
		return nil, s.unexpected()
	}
	s.offset++
	return raw, nil
}

func unescapeKey(raw []byte) (key []byte, isTag bool) {
	if len(raw) == 0 || raw[0] != '$' {
		return raw, false
	}
	if len(raw) == 1 || raw[1] != '$' {
		return nil, true
	}
	return raw[1:], false
}

// object reads the head of a map, or a whole tagged scalar.
func (s *jsonSource) object(out *token) error {
	s.offset++
	if s.peek() == '}' {
		s.offset++
		s.empty = true
		out.kind, out.length = kindMap, -1
		return s.open(true)
	}
	raw, err := s.rawKey()
	if err != nil {
		return err
	}
	key, isTag := unescapeKey(raw)
	if isTag && !s.lenient {
		return s.tagged(out, string(raw))
	}
	s.pending, s.hasPending = key, true
	out.kind, out.length = kindMap, -1
	return s.open(true)
}

func (s *jsonSource) tagged(out *token, tag string) error {
	read := tags[tag]
	if read == nil {
		return unknownTag([]byte(tag))
	}
	if s.peek() != '"' {
		return refuse(InvalidScalar, tag+" holds a string")
	}
	text, err := s.quoted()
	if err != nil {
		return err
	}
	switch s.peek() {
	case '}':
		s.offset++
	case ',':
		return refuse(UnknownTag, tag+" stands beside another key")
	default:
		return s.unexpected()
	}
	return read(out, text)
}

func unknownTag(key []byte) error {
	return refuse(UnknownTag, fmt.Sprintf("the key %q; a user's $ is doubled", clip(string(key))))
}

var tags = map[string]func(out *token, text []byte) error{
	"$int":      readIntTag,
	"$float":    readFloatTag,
	"$duration": readDurationTag,
	"$bytes": func(out *token, text []byte) (err error) {
		out.kind = kindBytes
		out.text, err = decodeBase64(text)
		return err
	},
	"$timestamp": func(out *token, text []byte) (err error) {
		out.kind = kindTimestamp
		out.moment, err = parseTimestamp(string(text))
		return err
	},
	"$decimal": func(out *token, text []byte) error {
		out.kind, out.text = kindDecimal, text
		return checkDecimal(text)
	},
	"$uuid": func(out *token, text []byte) (err error) {
		out.kind = kindUUID
		out.id, err = ParseUUID(string(text))
		return err
	},
}

func readIntTag(out *token, raw []byte) error {
	text := string(raw)
	if rest, found := cutDigits(strings.TrimPrefix(text, "-")); !found || rest != "" {
		return refuse(InvalidScalar, fmt.Sprintf("%q is no integer", clip(text)))
	}
	if signed, err := strconv.ParseInt(text, 10, 64); err == nil {
		out.kind, out.integer = kindInteger, signed
		return nil
	}
	unsigned, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return refuse(IntegerOutOfRange, clip(text)+" lies outside -2^63 … 2^64-1")
	}
	out.kind, out.unsigned = kindUnsigned, unsigned
	return nil
}

func readFloatTag(out *token, text []byte) error {
	out.kind = kindFloat
	switch string(text) {
	case "NaN":
		out.float = math.NaN()
	case "Infinity":
		out.float = math.Inf(1)
	case "-Infinity":
		out.float = math.Inf(-1)
	case "-0":
		out.float = math.Copysign(0, -1)
	default:
		return refuse(InvalidScalar, fmt.Sprintf("$float holds no %q", clip(string(text))))
	}
	return nil
}

func readDurationTag(out *token, raw []byte) error {
	text := string(raw)
	rest, found := cutDigits(strings.TrimPrefix(text, "-"))
	nanoseconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || !found || rest != "" {
		return refuse(InvalidScalar, fmt.Sprintf("%q is no int64 of nanoseconds", clip(text)))
	}
	out.kind, out.integer = kindDuration, int64(time.Duration(nanoseconds))
	return nil
}
