package payload

import (
	"bytes"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// number reads JSON's number: with a fraction or an exponent a float, otherwise an integer.
func (s *jsonSource) number(out *token) error {
	start := s.offset
	if s.data[s.offset] == '-' {
		s.offset++
	}
	leading := s.offset
	if !s.digits() || s.offset-leading > 1 && s.data[leading] == '0' {
		return s.unexpected()
	}
	isFloat := false
	if s.offset < len(s.data) && s.data[s.offset] == '.' {
		isFloat = true
		if s.offset++; !s.digits() {
			return s.unexpected()
		}
	}
	if s.offset < len(s.data) && s.data[s.offset]|0x20 == 'e' {
		isFloat = true
		s.offset++
		if s.offset < len(s.data) && (s.data[s.offset] == '+' || s.data[s.offset] == '-') {
			s.offset++
		}
		if !s.digits() {
			return s.unexpected()
		}
	}
	text := string(s.data[start:s.offset])
	if isFloat {
		value, err := strconv.ParseFloat(text, 64)
		if err != nil && !s.lenient {
			return refuse(Malformed, clip(text)+" is beyond the largest float")
		}
		out.kind, out.float = kindFloat, value
		return nil
	}
	value, err := strconv.ParseInt(text, 10, 64)
	if !s.lenient && (err != nil || value > maximumSafe || value < -maximumSafe) {
		return refuse(UnsafeInteger, clip(text)+` must travel as {"$int":"…"}`)
	}
	out.kind, out.integer = kindInteger, value
	return nil
}

func (s *jsonSource) digits() bool {
	start := s.offset
	for s.offset < len(s.data) && s.data[s.offset] >= '0' && s.data[s.offset] <= '9' {
		s.offset++
	}
	return s.offset > start
}

// quoted reads a string; without escapes it points into the input.
func (s *jsonSource) quoted() ([]byte, error) {
	s.offset++
	start := s.offset
	for s.offset < len(s.data) {
		switch character := s.data[s.offset]; {
		case character == '"':
			text := s.data[start:s.offset]
			s.offset++
			if !s.lenient && !utf8.Valid(text) {
				return nil, refuse(InvalidUnicode, "the string is not UTF-8")
			}
			return text, nil
		case character == '\\':
			return s.quotedWithEscapes(start)
		case character < 0x20:
			return nil, s.unexpected()
		}
		s.offset++
	}
	return nil, s.unexpected()
}

func (s *jsonSource) quotedWithEscapes(start int) ([]byte, error) {
	text := bytes.Clone(s.data[start:s.offset])
	for s.offset < len(s.data) {
		character := s.data[s.offset]
		switch {
		case character == '"':
			s.offset++
			if !s.lenient && !utf8.Valid(text) {
				return nil, refuse(InvalidUnicode, "the string is not UTF-8")
			}
			return text, nil
		case character < 0x20:
			return nil, s.unexpected()
		case character != '\\':
			text = append(text, character)
			s.offset++
		default:
			var err error
			if text, err = s.escape(text); err != nil {
				return nil, err
			}
		}
	}
	return nil, s.unexpected()
}

func (s *jsonSource) escape(text []byte) ([]byte, error) {
	s.offset++
	if s.offset >= len(s.data) {
		return nil, s.unexpected()
	}
	character := s.data[s.offset]
	if character == 'u' {
		return s.unicodeEscape(text)
	}
	index := bytes.IndexByte([]byte(`"\/bfnrt`), character)
	if index < 0 {
		return nil, s.unexpected()
	}
	s.offset++
	return append(text, "\"\\/\b\f\n\r\t"[index]), nil
}

func (s *jsonSource) unicodeEscape(text []byte) ([]byte, error) {
	first, err := s.hexadecimal()
	if err != nil {
		return nil, err
	}
	if !utf16.IsSurrogate(first) {
		return utf8.AppendRune(text, first), nil
	}
	if s.lenient {
		return text, nil
	}
	lone := refuse(InvalidUnicode, "a lone surrogate")
	if s.offset+1 >= len(s.data) || s.data[s.offset] != '\\' || s.data[s.offset+1] != 'u' {
		return nil, lone
	}
	s.offset++
	second, err := s.hexadecimal()
	if err != nil {
		return nil, err
	}
	character := utf16.DecodeRune(first, second)
	if character == utf8.RuneError {
		return nil, lone
	}
	return utf8.AppendRune(text, character), nil
}

// hexadecimal reads the u and the four digits of an escape.
func (s *jsonSource) hexadecimal() (rune, error) {
	if s.offset+5 > len(s.data) {
		s.offset = len(s.data)
		return 0, s.unexpected()
	}
	value, err := strconv.ParseUint(string(s.data[s.offset+1:s.offset+5]), 16, 16)
	if err != nil {
		return 0, s.unexpected()
	}
	s.offset += 5
	return rune(value), nil
}

// appendJSONString writes a string with the few escapes that the protocol names.
func appendJSONString[T string | []byte](out []byte, text T) []byte {
	out = append(out, '"')
	start := 0
	for index := 0; index < len(text); index++ {
		character := text[index]
		if character >= 0x20 && character != '"' && character != '\\' {
			continue
		}
		out = append(out, text[start:index]...)
		start = index + 1
		if short := bytes.IndexByte([]byte("\"\\\b\f\n\r\t"), character); short >= 0 {
			out = append(out, '\\', `"\bfnrt`[short])
			continue
		}
		out = append(out, `\u00`...)
		out = append(out, "0123456789abcdef"[character>>4], "0123456789abcdef"[character&15])
	}
	return append(append(out, text[start:]...), '"')
}

// appendJSONFloat writes ECMAScript's shortest form, with .0 where it looks like an integer.
func appendJSONFloat(out []byte, value float64) []byte {
	switch {
	case value != value:
		return append(out, `{"$float":"NaN"}`...)
	case math.IsInf(value, 1):
		return append(out, `{"$float":"Infinity"}`...)
	case math.IsInf(value, -1):
		return append(out, `{"$float":"-Infinity"}`...)
	case value == 0 && math.Signbit(value):
		return append(out, `{"$float":"-0"}`...)
	}
	start := len(out)
	if size := math.Abs(value); size != 0 && (size < 1e-6 || size >= 1e21) {
		out = strconv.AppendFloat(out, value, 'e', -1, 64)
		// Go writes e-07, ECMAScript e-7.
		end := len(out)
		if end >= 4 && out[end-2] == '0' && (out[end-3] == '-' || out[end-3] == '+') {
			out[end-2] = out[end-1]
			out = out[:end-1]
		}
		return out
	}
	out = strconv.AppendFloat(out, value, 'f', -1, 64)
	if bytes.IndexByte(out[start:], '.') < 0 {
		out = append(out, ".0"...)
	}
	return out
}
