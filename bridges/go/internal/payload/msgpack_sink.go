package payload

import (
	"encoding/binary"
	"math"
	"time"
	"unicode/utf8"
)

type msgpackSink struct {
	out []byte
	// heads has an entry for each open list or map: where its head is missing, or -1.
	heads []int
}

func (s *msgpackSink) encoding() Encoding { return MessagePack }
func (s *msgpackSink) output() []byte     { return s.out }
func (s *msgpackSink) raw(value []byte)   { s.out = append(s.out, value...) }
func (s *msgpackSink) null()              { s.out = append(s.out, 0xc0) }

func (s *msgpackSink) boolean(value bool) {
	if value {
		s.out = append(s.out, 0xc3)
		return
	}
	s.out = append(s.out, 0xc2)
}

func (s *msgpackSink) integer(value int64) {
	switch {
	case value >= 0:
		s.unsigned(uint64(value))
	case value >= -32:
		s.out = append(s.out, byte(value))
	case value >= math.MinInt8:
		s.out = append(s.out, 0xd0, byte(value))
	case value >= math.MinInt16:
		s.out = binary.BigEndian.AppendUint16(append(s.out, 0xd1), uint16(value))
	case value >= math.MinInt32:
		s.out = binary.BigEndian.AppendUint32(append(s.out, 0xd2), uint32(value))
	default:
		s.out = binary.BigEndian.AppendUint64(append(s.out, 0xd3), uint64(value))
	}
}

func (s *msgpackSink) unsigned(value uint64) {
	switch {
	case value <= 0x7f:
		s.out = append(s.out, byte(value))
	case value <= math.MaxUint8:
		s.out = append(s.out, 0xcc, byte(value))
	case value <= math.MaxUint16:
		s.out = binary.BigEndian.AppendUint16(append(s.out, 0xcd), uint16(value))
	case value <= math.MaxUint32:
		s.out = binary.BigEndian.AppendUint32(append(s.out, 0xce), uint32(value))
	default:
		s.out = binary.BigEndian.AppendUint64(append(s.out, 0xcf), value)
	}
}

func (s *msgpackSink) float(value float64) {
	bits := math.Float64bits(value)
	if value != value {
		bits = 0x7ff8000000000000 // one NaN
	}
	s.out = binary.BigEndian.AppendUint64(append(s.out, 0xcb), bits)
}

func (s *msgpackSink) text(value string) error {
	if !utf8.ValidString(value) {
		return refuse(InvalidUnicode, "the string is not UTF-8")
	}
	if length := len(value); length <= 31 {
		s.out = append(s.out, 0xa0|byte(length))
	} else {
		s.length(length, 0xd9, 0xda, 0xdb)
	}
	s.out = append(s.out, value...)
	return nil
}

func (s *msgpackSink) bytes(value []byte) {
	s.length(len(value), 0xc4, 0xc5, 0xc6)
	s.out = append(s.out, value...)
}

// length writes the code for 8, 16 or 32 bits of length, and the length; a zero code has no form.
func (s *msgpackSink) length(length int, code8, code16, code32 byte) {
	switch {
	case length <= math.MaxUint8 && code8 != 0:
		s.out = append(s.out, code8, byte(length))
	case length <= math.MaxUint16:
		s.out = binary.BigEndian.AppendUint16(append(s.out, code16), uint16(length))
	default:
		s.out = binary.BigEndian.AppendUint32(append(s.out, code32), uint32(length))
	}
}

func (s *msgpackSink) timestamp(moment time.Time) error {
	seconds, nanoseconds := moment.Unix(), int64(moment.Nanosecond())
	if err := checkTimestamp(seconds, nanoseconds); err != nil {
		return err
	}
	code := int8(extensionTimestamp)
	switch {
	case seconds>>34 != 0:
		s.out = append(s.out, 0xc7, 12, byte(code))
		s.out = binary.BigEndian.AppendUint32(s.out, uint32(nanoseconds))
		s.out = binary.BigEndian.AppendUint64(s.out, uint64(seconds))
	case seconds>>32 != 0 || nanoseconds != 0:
		s.out = append(s.out, 0xd7, byte(code))
		s.out = binary.BigEndian.AppendUint64(s.out, uint64(nanoseconds)<<34|uint64(seconds))
	default:
		s.out = append(s.out, 0xd6, byte(code))
		s.out = binary.BigEndian.AppendUint32(s.out, uint32(seconds))
	}
	return nil
}

func (s *msgpackSink) duration(value time.Duration) {
	s.out = append(s.out, 0xd7, extensionDuration)
	s.out = binary.BigEndian.AppendUint64(s.out, uint64(value))
}

func (s *msgpackSink) decimal(text string) error {
	if err := checkDecimal(text); err != nil {
		return err
	}
	switch length := len(text); length {
	case 1, 2, 4, 8, 16:
		fixed := map[int]byte{1: 0xd4, 2: 0xd5, 4: 0xd6, 8: 0xd7, 16: 0xd8}
		s.out = append(s.out, fixed[length])
	default:
		s.length(length, 0xc7, 0xc8, 0xc9)
	}
	s.out = append(append(s.out, extensionDecimal), text...)
	return nil
}

func (s *msgpackSink) uuid(id UUID) {
	s.out = append(append(s.out, 0xd8, extensionUUID), id[:]...)
}

func (s *msgpackSink) openList(length int) error { return s.open(length, false) }
func (s *msgpackSink) openMap(length int) error  { return s.open(length, true) }

func (s *msgpackSink) open(length int, isMap bool) error {
	if len(s.heads) >= PayloadDepth {
		return refuse(TooDeep, "more than 128 lists and maps inside one another")
	}
	if length < 0 {
		s.heads = append(s.heads, len(s.out))
		return nil
	}
	s.heads = append(s.heads, -1)
	s.head(length, isMap)
	return nil
}

func (s *msgpackSink) head(length int, isMap bool) {
	switch {
	case length <= 15 && isMap:
		s.out = append(s.out, 0x80|byte(length))
	case length <= 15:
		s.out = append(s.out, 0x90|byte(length))
	case isMap:
		s.length(length, 0, 0xde, 0xdf)
	default:
		s.length(length, 0, 0xdc, 0xdd)
	}
}

// close puts the head in front of items whose number was unknown when they began.
func (s *msgpackSink) close(count int, isMap bool) {
	last := len(s.heads) - 1
	start := s.heads[last]
	s.heads = s.heads[:last]
	if start < 0 {
		return
	}
	end := len(s.out)
	s.head(count, isMap)
	var head [5]byte
	size := copy(head[:], s.out[end:])
	copy(s.out[start+size:], s.out[start:end])
	copy(s.out[start:], head[:size])
}

func (s *msgpackSink) key(key string) error { return s.text(key) }
func (s *msgpackSink) closeList(count int)  { s.close(count, false) }
func (s *msgpackSink) closeMap(count int)   { s.close(count, true) }
