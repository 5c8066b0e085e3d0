package payload

import (
	"encoding"
	"fmt"
	"math/big"
	"reflect"
	"sync"
	"time"
)

// Unmarshal reads one encoded value into what target, a non-nil pointer, points to.
func Unmarshal(encoded []byte, encoding Encoding, target any) error {
	return unmarshal(encoded, encoding, target, levels{limit: PayloadDepth})
}

// UnmarshalDocument reads an envelope, which may nest deeper than a payload.
func UnmarshalDocument(encoded []byte, encoding Encoding, target any) error {
	return unmarshal(encoded, encoding, target, levels{limit: DocumentDepth})
}

// Salvage reads what it can of a document with refused content, so that the one task in it can be
// answered; only a broken structure is an error.
func Salvage(encoded []byte, encoding Encoding, target any) error {
	return unmarshal(encoded, encoding, target, levels{limit: 10_000, lenient: true})
}

func unmarshal(encoded []byte, encoding Encoding, target any, levels levels) error {
	pointer := reflect.ValueOf(target)
	if pointer.Kind() != reflect.Pointer || pointer.IsNil() {
		return fmt.Errorf("perdure: Decode needs a non-nil pointer, not a %T", target)
	}
	in, err := newSource(encoded, encoding, levels)
	if err != nil {
		return err
	}
	if err := decodeInto(in, pointer.Elem()); err != nil {
		return err
	}
	return in.end()
}

// decodeFunc stores the value whose head has been read.
type decodeFunc func(in source, head *token, out reflect.Value) error

var decoders sync.Map

func decodeInto(in source, out reflect.Value) error {
	return decodeNext(in, decoderOf(out.Type()), out)
}

// decodeNext reads a head and hands it to a decoder; a Value takes the bytes as they stand.
func decodeNext(in source, decode decodeFunc, out reflect.Value) error {
	switch out.Type() {
	case valueType:
		raw, err := readRaw(in, encodingOf(in))
		if err == nil {
			out.Set(reflect.ValueOf(raw))
		}
		return err
	case valuePointerType:
		// A pointer to a Value tells a missing value, nil, from null.
		raw, err := readRaw(in, encodingOf(in))
		if err == nil {
			out.Set(reflect.ValueOf(&raw))
		}
		return err
	}
	var head token
	if err := in.next(&head); err != nil {
		return err
	}
	return decode(in, &head, out)
}

func encodingOf(in source) Encoding {
	if _, isJSON := in.(*jsonSource); isJSON {
		return JSON
	}
	return MessagePack
}

func decoderOf(typ reflect.Type) decodeFunc {
	if known, found := decoders.Load(typ); found {
		return known.(decodeFunc)
	}
	var made decodeFunc
	var once sync.WaitGroup
	once.Add(1)
	standIn := decodeFunc(func(in source, head *token, out reflect.Value) error {
		once.Wait()
		return made(in, head, out)
	})
	if known, found := decoders.LoadOrStore(typ, standIn); found {
		return known.(decodeFunc)
	}
	made = makeDecoder(typ)
	once.Done()
	decoders.Store(typ, made)
	return made
}

func wrongKind(head *token, wanted string) error {
	return refuse(WrongKind, "expected "+wanted+", found "+head.kind.String())
}

var textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()

func makeDecoder(typ reflect.Type) decodeFunc {
	switch typ {
	case timeType:
		return scalar(kindTimestamp, "a timestamp", func(head *token, out reflect.Value) error {
			out.Set(reflect.ValueOf(head.moment))
			return nil
		})
	case durationType:
		return scalar(kindDuration, "a duration", func(head *token, out reflect.Value) error {
			out.SetInt(head.integer)
			return nil
		})
	case decimalType:
		return scalar(kindDecimal, "a decimal", func(head *token, out reflect.Value) error {
			out.SetString(string(head.text))
			return nil
		})
	case uuidType:
		return scalar(kindUUID, "a UUID", func(head *token, out reflect.Value) error {
			out.Set(reflect.ValueOf(head.id))
			return nil
		})
	case bigIntType:
		return decodeBigInt
	case valueType, valuePointerType:
		return nil // decodeNext takes them before their head is read
	}
	if typ.Kind() != reflect.Pointer && reflect.PointerTo(typ).Implements(textUnmarshalerType) {
		return scalar(kindString, "a string", func(head *token, out reflect.Value) error {
			err := out.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText(head.text)
			if err != nil {
				return refuse(InvalidScalar, err.Error())
			}
			return nil
		})
	}
	return makeKindDecoder(typ)
}

func scalar(wanted kind, name string, set func(*token, reflect.Value) error) decodeFunc {
	return func(in source, head *token, out reflect.Value) error {
		if head.kind != wanted {
			return wrongKind(head, name)
		}
		return set(head, out)
	}
}

func makeKindDecoder(typ reflect.Type) decodeFunc {
	switch typ.Kind() {
	case reflect.Bool:
		return scalar(kindBool, "a bool", func(head *token, out reflect.Value) error {
			out.SetBool(head.boolean)
			return nil
		})
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return decodeInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return decodeUint
	case reflect.Float32, reflect.Float64:
		return decodeFloat
	case reflect.String:
		return scalar(kindString, "a string", func(head *token, out reflect.Value) error {
			out.SetString(string(head.text))
			return nil
		})
	case reflect.Struct:
		return makeStructDecoder(typ)
	case reflect.Map:
		return makeMapDecoder(typ)
	case reflect.Slice:
		return makeSliceDecoder(typ)
	case reflect.Array:
		return makeArrayDecoder(typ)
	case reflect.Pointer:
		return makePointerDecoder(typ)
	case reflect.Interface:
		if typ.NumMethod() == 0 {
			return decodeAny
		}
	}
	return func(source, *token, reflect.Value) error {
		return refuse(Unrepresentable, fmt.Sprintf("nothing can be read into a Go %s", typ))
	}
}

func doesNotFit(number any, out reflect.Value) error {
	return refuse(IntegerOutOfRange, fmt.Sprintf("%v does not fit %s", number, out.Type()))
}

func decodeInt(in source, head *token, out reflect.Value) error {
	switch {
	case head.kind == kindUnsigned:
		return doesNotFit(head.unsigned, out)
	case head.kind != kindInteger:
		return wrongKind(head, "an integer")
	case out.OverflowInt(head.integer):
		return doesNotFit(head.integer, out)
	}
	out.SetInt(head.integer)
	return nil
}

func decodeUint(in source, head *token, out reflect.Value) error {
	number := head.unsigned
	if head.kind == kindInteger {
		if head.integer < 0 {
			return doesNotFit(head.integer, out)
		}
		number = uint64(head.integer)
	} else if head.kind != kindUnsigned {
		return wrongKind(head, "an integer")
	}
	if out.OverflowUint(number) {
		return doesNotFit(number, out)
	}
	out.SetUint(number)
	return nil
}

// A float takes an integer that it can hold exactly, since JavaScript sends 1.0 as 1.
func decodeFloat(in source, head *token, out reflect.Value) error {
	number := head.float
	if head.kind == kindInteger {
		number = float64(head.integer)
		// The first float beyond int64 must not be converted back.
		if number >= 1<<63 || int64(number) != head.integer {
			return refuse(IntegerOutOfRange, fmt.Sprintf("%d is no exact float", head.integer))
		}
	} else if head.kind != kindFloat {
		return wrongKind(head, "a float")
	}
	if out.OverflowFloat(number) {
		return doesNotFit(number, out)
	}
	out.SetFloat(number)
	return nil
}

func decodeBigInt(in source, head *token, out reflect.Value) error {
	number := out.Addr().Interface().(*big.Int)
	switch head.kind {
	case kindInteger:
		number.SetInt64(head.integer)
	case kindUnsigned:
		number.SetUint64(head.unsigned)
	default:
		return wrongKind(head, "an integer")
	}
	return nil
}

func durationOf(head *token) time.Duration { return time.Duration(head.integer) }
