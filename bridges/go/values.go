package perdure

import "github.com/perdure/perdure-go/internal/payload"

// Value is one value as it travelled, unread: unknown fields, order of keys and null are kept. Use
// it as an argument, a field or a result to pass on what you do not want to know. Its methods are
// Decode(target), Encode(encoding), IsNull() and String(), the JSON form.
type Value = payload.Value

// Decimal is an exact decimal number as text.
type Decimal = payload.Decimal

// UUID is 16 bytes.
type UUID = payload.UUID

// RefusedError reports a value that cannot travel exactly: why (Reason) and where (Path).
type RefusedError = payload.RefusedError

// Encoding is one of the two profiles of a Value.
type Encoding = payload.Encoding

// The profiles.
const (
	JSON        = payload.JSON
	MessagePack = payload.MessagePack
)

// NewValue takes a Go value by the type mapping.
func NewValue(from any) (Value, error) { return payload.NewValue(from) }

// ParseValue takes an encoded value as it stands, if the protocol does not refuse it.
func ParseValue(encoded []byte, encoding Encoding) (Value, error) {
	return payload.Parse(encoded, encoding)
}

// ParseUUID reads 8-4-4-4-12 hexadecimal digits.
func ParseUUID(text string) (UUID, error) { return payload.ParseUUID(text) }
