package payload

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Decimal is an exact decimal number as text: "12.50" stays "12.50". Calculate with the decimal
// library of your choice.
type Decimal string

// UUID is 16 bytes, written 8-4-4-4-12 in lower case.
type UUID [16]byte

// String gives the usual form with hyphens.
func (u UUID) String() string {
	return string(appendUUID(make([]byte, 0, 36), u))
}

// ParseUUID reads the form with hyphens, in either case.
func ParseUUID(text string) (UUID, error) {
	var id UUID
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return id, refuse(InvalidScalar, fmt.Sprintf("%q is no UUID", text))
	}
	compact := strings.ReplaceAll(text, "-", "")
	if len(compact) != 32 {
		return id, refuse(InvalidScalar, fmt.Sprintf("%q is no UUID", text))
	}
	if _, err := hex.Decode(id[:], []byte(compact)); err != nil {
		return id, refuse(InvalidScalar, fmt.Sprintf("%q is no UUID", text))
	}
	return id, nil
}

func appendUUID(out []byte, id UUID) []byte {
	for index, part := range id {
		if index == 4 || index == 6 || index == 8 || index == 10 {
			out = append(out, '-')
		}
		out = append(out, "0123456789abcdef"[part>>4], "0123456789abcdef"[part&15])
	}
	return out
}

// checkDecimal accepts -?digits(.digits)?([eE][+-]?digits)?, NaN, Infinity and -Infinity.
func checkDecimal[T string | []byte](text T) error {
	rest := string(text)
	if rest == "NaN" || rest == "Infinity" || rest == "-Infinity" {
		return nil
	}
	rest = strings.TrimPrefix(rest, "-")
	rest, good := cutDigits(rest)
	if good && strings.HasPrefix(rest, ".") {
		rest, good = cutDigits(rest[1:])
	}
	if good && rest != "" && (rest[0] == 'e' || rest[0] == 'E') {
		rest = rest[1:]
		if rest != "" && (rest[0] == '+' || rest[0] == '-') {
			rest = rest[1:]
		}
		rest, good = cutDigits(rest)
	}
	if !good || rest != "" {
		return refuse(InvalidScalar, fmt.Sprintf("%q is no decimal", clip(string(text))))
	}
	return nil
}

func cutDigits(text string) (rest string, found bool) {
	end := 0
	for end < len(text) && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	return text[end:], end > 0
}

// The first and the last second that a timestamp may name: the years 1 to 9999.
const (
	firstSecond = -62135596800
	lastSecond  = 253402300799
)

func checkTimestamp(seconds int64, nanoseconds int64) error {
	if seconds < firstSecond || seconds > lastSecond {
		return refuse(InvalidScalar, "a timestamp lies in the years 1 to 9999")
	}
	if nanoseconds < 0 || nanoseconds > 999_999_999 {
		return refuse(InvalidScalar, "a timestamp has less than 10^9 nanoseconds")
	}
	return nil
}

// parseTimestamp reads RFC 3339 with Z and up to nine digits of fraction, and nothing looser.
func parseTimestamp(text string) (time.Time, error) {
	bad := refuse(InvalidScalar, fmt.Sprintf("%q is no RFC 3339 timestamp in UTC", clip(text)))
	const whole = "2006-01-02T15:04:05"
	if len(text) < len(whole)+1 || text[len(text)-1] != 'Z' {
		return time.Time{}, bad
	}
	fraction := text[len(whole) : len(text)-1]
	if fraction != "" {
		digits, found := cutDigits(strings.TrimPrefix(fraction, "."))
		if fraction[0] != '.' || !found || digits != "" || len(fraction) > 10 {
			return time.Time{}, bad
		}
	}
	moment, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || moment.Year() < 1 {
		return time.Time{}, bad
	}
	return moment.UTC(), nil
}

func decodeBase64(text []byte) ([]byte, error) {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	// Strict also refuses the stray bits that two texts for the same bytes would need; the
	// decoder itself skips line breaks, which the protocol does not allow.
	count, err := base64.StdEncoding.Strict().Decode(out, text)
	if err != nil || strings.ContainsAny(string(text), "\r\n") {
		return nil, refuse(InvalidScalar, "$bytes is not base64 of the standard alphabet")
	}
	return out[:count], nil
}

// clip keeps a message short when the text that it quotes is long.
func clip(text string) string {
	if len(text) > 60 {
		return text[:60] + "…"
	}
	return text
}
