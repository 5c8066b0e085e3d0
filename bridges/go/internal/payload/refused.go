package payload

import (
	"errors"
	"strconv"
)

// Reason says why a value was refused. The words are those of the bridge protocol.
type Reason string

// The reasons, the same in every language.
const (
	IntegerOutOfRange Reason = "IntegerOutOfRange"
	UnsafeInteger     Reason = "UnsafeInteger"
	InvalidUnicode    Reason = "InvalidUnicode"
	KeyNotString      Reason = "KeyNotString"
	DuplicateKey      Reason = "DuplicateKey"
	TooDeep           Reason = "TooDeep"
	UnknownExtension  Reason = "UnknownExtension"
	UnknownTag        Reason = "UnknownTag"
	InvalidScalar     Reason = "InvalidScalar"
	Unrepresentable   Reason = "Unrepresentable"
	Malformed         Reason = "Malformed"
	WrongKind         Reason = "WrongKind"
)

// RefusedError reports a value that cannot be written or read exactly.
type RefusedError struct {
	Reason Reason
	// Path leads from the payload, $, to the value: $.items[3].price.
	Path string
	// Detail is for people.
	Detail string
}

func (e *RefusedError) Error() string {
	return string(e.Reason) + " at " + e.Path + ": " + e.Detail
}

func refuse(reason Reason, detail string) error {
	return &RefusedError{Reason: reason, Path: "$", Detail: detail}
}

// within puts one step of the path in front while an error climbs out of a container, so that
// paths cost nothing as long as all is well.
func within(err error, step string) error {
	var refused *RefusedError
	if errors.As(err, &refused) {
		refused.Path = "$" + step + refused.Path[1:]
	}
	return err
}

func withinIndex(err error, index int) error {
	return within(err, "["+strconv.Itoa(index)+"]")
}

func withinKey[K string | []byte](err error, key K) error {
	text := string(key)
	if isPlainKey(text) {
		return within(err, "."+text)
	}
	return within(err, "["+string(appendJSONString(nil, text))+"]")
}

func isPlainKey(key string) bool {
	for index, character := range []byte(key) {
		letter := character == '_' || character|0x20 >= 'a' && character|0x20 <= 'z'
		digit := character >= '0' && character <= '9'
		if !letter && (!digit || index == 0) {
			return false
		}
	}
	return key != ""
}
