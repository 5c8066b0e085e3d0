package payload

import (
	"encoding/base64"
	"strconv"
	"time"
	"unicode/utf8"
)

type jsonSink struct {
	out   []byte
	depth int
	// comma says that the next value or key of the open list or map needs one in front.
	comma bool
}

func (s *jsonSink) encoding() Encoding { return JSON }
func (s *jsonSink) output() []byte     { return s.out }

func (s *jsonSink) separate() {
	if s.comma {
		s.out = append(s.out, ',')
	}
	s.comma = true
}

func (s *jsonSink) raw(value []byte) {
	s.separate()
	s.out = append(s.out, value...)
}

func (s *jsonSink) word(text string) {
	s.separate()
	s.out = append(s.out, text...)
}

func (s *jsonSink) tag(name string, text string) {
	s.separate()
	s.out = append(append(s.out, `{"$`...), name...)
	s.out = append(appendJSONString(append(s.out, `":`...), text), '}')
}

func (s *jsonSink) null()              { s.word("null") }
func (s *jsonSink) boolean(value bool) { s.word(strconv.FormatBool(value)) }

func (s *jsonSink) integer(value int64) {
	if value > maximumSafe || value < -maximumSafe {
		s.tag("int", strconv.FormatInt(value, 10))
		return
	}
	s.separate()
	s.out = strconv.AppendInt(s.out, value, 10)
}

func (s *jsonSink) unsigned(value uint64) {
	if value > maximumSafe {
		s.tag("int", strconv.FormatUint(value, 10))
		return
	}
	s.separate()
	s.out = strconv.AppendUint(s.out, value, 10)
}

func (s *jsonSink) float(value float64) {
	s.separate()
	s.out = appendJSONFloat(s.out, value)
}

func (s *jsonSink) text(value string) error {
	if !utf8.ValidString(value) {
		return refuse(InvalidUnicode, "the string is not UTF-8")
	}
	s.separate()
	s.out = appendJSONString(s.out, value)
	return nil
}

func (s *jsonSink) bytes(value []byte) {
	s.separate()
	s.out = append(s.out, `{"$bytes":"`...)
	s.out = base64.StdEncoding.AppendEncode(s.out, value)
	s.out = append(s.out, `"}`...)
}

func (s *jsonSink) timestamp(moment time.Time) error {
	if err := checkTimestamp(moment.Unix(), int64(moment.Nanosecond())); err != nil {
		return err
	}
	s.tag("timestamp", moment.UTC().Format(time.RFC3339Nano))
	return nil
}

func (s *jsonSink) duration(value time.Duration) {
	s.tag("duration", strconv.FormatInt(int64(value), 10))
}

func (s *jsonSink) decimal(text string) error {
	if err := checkDecimal(text); err != nil {
		return err
	}
	s.tag("decimal", text)
	return nil
}

func (s *jsonSink) uuid(id UUID) { s.tag("uuid", id.String()) }

func (s *jsonSink) open(character byte) error {
	s.separate()
	s.out = append(s.out, character)
	s.comma = false
	if s.depth >= PayloadDepth {
		return refuse(TooDeep, "more than 128 lists and maps inside one another")
	}
	s.depth++
	return nil
}

func (s *jsonSink) close(character byte) {
	s.out = append(s.out, character)
	s.comma = true
	s.depth--
}

func (s *jsonSink) openList(int) error { return s.open('[') }
func (s *jsonSink) openMap(int) error  { return s.open('{') }
func (s *jsonSink) closeList(int)      { s.close(']') }
func (s *jsonSink) closeMap(int)       { s.close('}') }

func (s *jsonSink) key(key string) error {
	if !utf8.ValidString(key) {
		return refuse(InvalidUnicode, "the key is not UTF-8")
	}
	s.separate()
	if key != "" && key[0] == '$' {
		key = "$" + key
	}
	s.out = append(appendJSONString(s.out, key), ':')
	s.comma = false
	return nil
}
