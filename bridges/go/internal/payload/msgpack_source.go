package payload

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
	"unicode/utf8"
)

// Extension types of the protocol.
const (
	extensionTimestamp = -1
	extensionDuration  = 1
	extensionDecimal   = 2
	extensionUUID      = 3
)

type msgpackSource struct {
	levels
	data   []byte
	offset int
}

func (s *msgpackSource) position() int { return s.offset }
func (s *msgpackSource) input() []byte { return s.data }

func (s *msgpackSource) end() error {
	if s.offset != len(s.data) {
		return refuse(Malformed, fmt.Sprintf("%d bytes after the value", len(s.data)-s.offset))
	}
	return nil
}

func (s *msgpackSource) take(count uint64) ([]byte, error) {
	if count > uint64(len(s.data)-s.offset) {
		return nil, refuse(Malformed, "the input is cut short")
	}
	taken := s.data[s.offset : s.offset+int(count)]
	s.offset += int(count)
	return taken, nil
}

// number reads a big-endian unsigned integer of 1, 2, 4 or 8 bytes.
func (s *msgpackSource) number(size int) (uint64, error) {
	raw, err := s.take(uint64(size))
	if err != nil {
		return 0, err
	}
	switch size {
	case 1:
		return uint64(raw[0]), nil
	case 2:
		return uint64(binary.BigEndian.Uint16(raw)), nil
	case 4:
		return uint64(binary.BigEndian.Uint32(raw)), nil
	default:
		return binary.BigEndian.Uint64(raw), nil
	}
}

func (s *msgpackSource) next(out *token) error {
	head, err := s.take(1)
	if err != nil {
		return err
	}
	code := head[0]
	switch {
	case code <= 0x7f:
		out.kind, out.integer = kindInteger, int64(code)
	case code >= 0xe0:
		out.kind, out.integer = kindInteger, int64(int8(code))
	case code <= 0x8f:
		return s.container(out, kindMap, uint64(code&15))
	case code <= 0x9f:
		return s.container(out, kindList, uint64(code&15))
	case code <= 0xbf:
		return s.str(out, uint64(code&31))
	default:
		return s.wide(out, code)
	}
	return nil
}

// wide reads the forms from 0xc0 to 0xdf.
func (s *msgpackSource) wide(out *token, code byte) error {
	switch code {
	case 0xc0:
		out.kind = kindNull
		return nil
	case 0xc1:
		return refuse(Malformed, "0xc1 is no MessagePack")
	case 0xc2, 0xc3:
		out.kind, out.boolean = kindBool, code == 0xc3
		return nil
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8:
		return s.extension(out, 1<<(code-0xd4))
	}
	number, err := s.number(wideSizes[code-0xc0])
	if err != nil {
		return err
	}
	switch code {
	case 0xc4, 0xc5, 0xc6:
		out.kind = kindBytes
		out.text, err = s.take(number)
	case 0xc7, 0xc8, 0xc9:
		return s.extension(out, number)
	case 0xca:
		out.kind, out.float = kindFloat, float64(math.Float32frombits(uint32(number)))
	case 0xcb:
		out.kind, out.float = kindFloat, math.Float64frombits(number)
	case 0xcc, 0xcd, 0xce, 0xcf:
		setUnsigned(out, number)
	case 0xd0:
		out.kind, out.integer = kindInteger, int64(int8(number))
	case 0xd1:
		out.kind, out.integer = kindInteger, int64(int16(number))
	case 0xd2:
		out.kind, out.integer = kindInteger, int64(int32(number))
	case 0xd3:
		out.kind, out.integer = kindInteger, int64(number)
	case 0xd9, 0xda, 0xdb:
		return s.str(out, number)
	case 0xdc, 0xdd:
		return s.container(out, kindList, number)
	case 0xde, 0xdf:
		return s.container(out, kindMap, number)
	}
	return err
}

// wideSizes is the width of the number behind the codes from 0xc0 to 0xdf.
var wideSizes = [32]int{
	4: 1, 5: 2, 6: 4, 7: 1, 8: 2, 9: 4, 10: 4, 11: 8, 12: 1, 13: 2, 14: 4, 15: 8,
	16: 1, 17: 2, 18: 4, 19: 8, 25: 1, 26: 2, 27: 4, 28: 2, 29: 4, 30: 2, 31: 4,
}

func setUnsigned(out *token, number uint64) {
	if number > math.MaxInt64 {
		out.kind, out.unsigned = kindUnsigned, number
		return
	}
	out.kind, out.integer = kindInteger, int64(number)
}

func (s *msgpackSource) str(out *token, length uint64) (err error) {
	out.kind = kindString
	if out.text, err = s.take(length); err != nil {
		return err
	}
	if !s.lenient && !utf8.Valid(out.text) {
		return refuse(InvalidUnicode, "the string is not UTF-8")
	}
	return nil
}

func (s *msgpackSource) container(out *token, kind kind, length uint64) error {
	// A promise of 4 billion items reserves nothing: readers grow as the items come.
	out.kind, out.length = kind, int(length)
	return s.open(kind == kindMap)
}

func (s *msgpackSource) item(index, length int) (bool, error) {
	if index == length {
		s.closeList()
		return false, nil
	}
	return true, nil
}

func (s *msgpackSource) key(index, length int) ([]byte, bool, error) {
	if index == length {
		s.closeMap()
		return nil, false, nil
	}
	if s.offset >= len(s.data) {
		return nil, false, refuse(Malformed, "the input is cut short")
	}
	code := s.data[s.offset]
	if s.lenient && code>>5 != 5 && (code < 0xd9 || code > 0xdb) {
		return nil, true, skip(s)
	}
	if code>>5 != 5 && (code < 0xd9 || code > 0xdb) {
		return nil, false, refuse(KeyNotString, "every key of a map is a string")
	}
	var out token
	if err := s.next(&out); err != nil {
		return nil, false, err
	}
	return out.text, true, s.addKey(out.text)
}

func (s *msgpackSource) extension(out *token, length uint64) error {
	raw, err := s.take(length + 1)
	if err != nil {
		return err
	}
	code, body := int8(raw[0]), raw[1:]
	if s.lenient {
		out.kind = kindNull
		return nil
	}
	switch code {
	case extensionTimestamp:
		return readTimestamp(out, body)
	case extensionDuration:
		if len(body) != 8 {
			return refuse(InvalidScalar, "a duration has 8 bytes")
		}
		out.kind, out.integer = kindDuration, int64(binary.BigEndian.Uint64(body))
	case extensionDecimal:
		out.kind, out.text = kindDecimal, body
		return checkDecimal(body)
	case extensionUUID:
		if len(body) != 16 {
			return refuse(InvalidScalar, "a UUID has 16 bytes")
		}
		out.kind, out.id = kindUUID, UUID(body)
	default:
		return refuse(UnknownExtension, fmt.Sprintf("extension type %d", code))
	}
	return nil
}

func readTimestamp(out *token, body []byte) error {
	var seconds, nanoseconds int64
	switch len(body) {
	case 4:
		seconds = int64(binary.BigEndian.Uint32(body))
	case 8:
		both := binary.BigEndian.Uint64(body)
		seconds, nanoseconds = int64(both&(1<<34-1)), int64(both>>34)
	case 12:
		nanoseconds = int64(binary.BigEndian.Uint32(body))
		seconds = int64(binary.BigEndian.Uint64(body[4:]))
	default:
		return refuse(InvalidScalar, "a timestamp has 4, 8 or 12 bytes")
	}
	out.kind, out.moment = kindTimestamp, time.Unix(seconds, nanoseconds).UTC()
	return checkTimestamp(seconds, nanoseconds)
}
