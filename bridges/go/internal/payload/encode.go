package payload

import (
	"encoding"
	"fmt"
	"math/big"
	"reflect"
	"sort"
	"sync"
	"time"
)

// Marshal writes a Go value by the mapping of this package.
func Marshal(from any, encoding Encoding) ([]byte, error) {
	out, err := newSink(encoding, make([]byte, 0, 64))
	if err != nil {
		return nil, err
	}
	if err := encodeAny(from, out); err != nil {
		return nil, err
	}
	return out.output(), nil
}

type encodeFunc func(value reflect.Value, out sink) error

// encoders holds one encodeFunc a type, so that reflection looks at each type once.
var encoders sync.Map

func encoderOf(typ reflect.Type) encodeFunc {
	if known, found := encoders.Load(typ); found {
		return known.(encodeFunc)
	}
	// A recursive type finds this stand-in while its own encoder is being made.
	var made encodeFunc
	var once sync.WaitGroup
	once.Add(1)
	standIn := encodeFunc(func(value reflect.Value, out sink) error {
		once.Wait()
		return made(value, out)
	})
	if known, found := encoders.LoadOrStore(typ, standIn); found {
		return known.(encodeFunc)
	}
	made = makeEncoder(typ)
	once.Done()
	encoders.Store(typ, made)
	return made
}

// encodeAny spares the usual dynamic values their reflection.
func encodeAny(from any, out sink) error {
	switch value := from.(type) {
	case nil:
		out.null()
	case bool:
		out.boolean(value)
	case int:
		out.integer(int64(value))
	case int64:
		out.integer(value)
	case uint64:
		out.unsigned(value)
	case float64:
		out.float(value)
	case string:
		return out.text(value)
	case []byte:
		out.bytes(value)
	case Value:
		return value.writeTo(out)
	default:
		reflected := reflect.ValueOf(from)
		return encoderOf(reflected.Type())(reflected, out)
	}
	return nil
}

var (
	timeType          = reflect.TypeFor[time.Time]()
	durationType      = reflect.TypeFor[time.Duration]()
	decimalType       = reflect.TypeFor[Decimal]()
	uuidType          = reflect.TypeFor[UUID]()
	valueType         = reflect.TypeFor[Value]()
	valuePointerType  = reflect.TypeFor[*Value]()
	bigIntType        = reflect.TypeFor[big.Int]()
	textMarshalerType = reflect.TypeFor[encoding.TextMarshaler]()
)

func makeEncoder(typ reflect.Type) encodeFunc {
	switch typ {
	case timeType:
		return func(value reflect.Value, out sink) error {
			return out.timestamp(value.Interface().(time.Time))
		}
	case durationType:
		return func(value reflect.Value, out sink) error {
			out.duration(time.Duration(value.Int()))
			return nil
		}
	case decimalType:
		return func(value reflect.Value, out sink) error { return out.decimal(value.String()) }
	case uuidType:
		return func(value reflect.Value, out sink) error {
			out.uuid(value.Interface().(UUID))
			return nil
		}
	case valueType:
		return func(value reflect.Value, out sink) error {
			return value.Interface().(Value).writeTo(out)
		}
	case bigIntType:
		return func(value reflect.Value, out sink) error {
			number := reflect.New(bigIntType)
			number.Elem().Set(value)
			return encodeBigInt(number.Interface().(*big.Int), out)
		}
	}
	if typ.Kind() != reflect.Pointer && typ.Implements(textMarshalerType) {
		return encodeText
	}
	return makeKindEncoder(typ)
}

func makeKindEncoder(typ reflect.Type) encodeFunc {
	switch typ.Kind() {
	case reflect.Bool:
		return func(value reflect.Value, out sink) error { out.boolean(value.Bool()); return nil }
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(value reflect.Value, out sink) error { out.integer(value.Int()); return nil }
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return func(value reflect.Value, out sink) error { out.unsigned(value.Uint()); return nil }
	case reflect.Float32, reflect.Float64:
		return func(value reflect.Value, out sink) error { out.float(value.Float()); return nil }
	case reflect.String:
		return func(value reflect.Value, out sink) error { return out.text(value.String()) }
	case reflect.Struct:
		return makeStructEncoder(typ)
	case reflect.Map:
		return makeMapEncoder(typ)
	case reflect.Slice, reflect.Array:
		return makeListEncoder(typ)
	case reflect.Pointer:
		return makePointerEncoder(typ)
	case reflect.Interface:
		return func(value reflect.Value, out sink) error {
			return encodeAny(value.Interface(), out)
		}
	}
	return func(reflect.Value, sink) error {
		return refuse(Unrepresentable, fmt.Sprintf("a Go %s has no form in other languages", typ))
	}
}

func encodeBigInt(number *big.Int, out sink) error {
	switch {
	case number.IsInt64():
		out.integer(number.Int64())
	case number.IsUint64():
		out.unsigned(number.Uint64())
	default:
		return refuse(IntegerOutOfRange, clip(number.String())+" lies outside -2^63 … 2^64-1")
	}
	return nil
}

func encodeText(value reflect.Value, out sink) error {
	text, err := value.Interface().(encoding.TextMarshaler).MarshalText()
	if err != nil {
		return refuse(Unrepresentable, err.Error())
	}
	return out.text(string(text))
}

func makePointerEncoder(typ reflect.Type) encodeFunc {
	element := encoderOf(typ.Elem())
	if typ.Elem() != bigIntType && !typ.Elem().Implements(textMarshalerType) &&
		typ.Implements(textMarshalerType) && !isOwnScalar(typ.Elem()) {
		element = func(value reflect.Value, out sink) error { return encodeText(value.Addr(), out) }
	}
	return func(value reflect.Value, out sink) error {
		if value.IsNil() {
			out.null()
			return nil
		}
		return element(value.Elem(), out)
	}
}

func isOwnScalar(typ reflect.Type) bool {
	return typ == timeType || typ == uuidType || typ == valueType
}

// A nil slice is an empty list, as Go programs mean it; a null needs a pointer or a Value.
func makeListEncoder(typ reflect.Type) encodeFunc {
	if typ.Elem().Kind() == reflect.Uint8 {
		if typ.Kind() == reflect.Slice {
			return func(value reflect.Value, out sink) error {
				out.bytes(value.Bytes())
				return nil
			}
		}
		return func(value reflect.Value, out sink) error {
			whole := make([]byte, value.Len())
			reflect.Copy(reflect.ValueOf(whole), value)
			out.bytes(whole)
			return nil
		}
	}
	element := encoderOf(typ.Elem())
	return func(value reflect.Value, out sink) error {
		length := value.Len()
		if err := out.openList(length); err != nil {
			return err
		}
		for index := 0; index < length; index++ {
			if err := element(value.Index(index), out); err != nil {
				return withinIndex(err, index)
			}
		}
		out.closeList(length)
		return nil
	}
}

// Keys are written in order, so that equal maps have equal bytes.
func makeMapEncoder(typ reflect.Type) encodeFunc {
	if typ.Key().Kind() != reflect.String {
		return func(reflect.Value, sink) error {
			return refuse(KeyNotString, fmt.Sprintf("the keys of a Go %s are no strings", typ))
		}
	}
	element := encoderOf(typ.Elem())
	return func(value reflect.Value, out sink) error {
		keys := value.MapKeys()
		sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
		if err := out.openMap(len(keys)); err != nil {
			return err
		}
		for _, key := range keys {
			if err := out.key(key.String()); err != nil {
				return err
			}
			if err := element(value.MapIndex(key), out); err != nil {
				return withinKey(err, key.String())
			}
		}
		out.closeMap(len(keys))
		return nil
	}
}

func makeStructEncoder(typ reflect.Type) encodeFunc {
	fields := fieldsOf(typ)
	return func(value reflect.Value, out sink) error {
		count := len(fields.list)
		if fields.someOmit {
			count = 0
			for index := range fields.list {
				if _, present := fields.list[index].in(value); present {
					count++
				}
			}
		}
		if err := out.openMap(count); err != nil {
			return err
		}
		for index := range fields.list {
			field := &fields.list[index]
			content, present := field.in(value)
			if !present {
				continue
			}
			if err := out.key(field.name); err != nil {
				return err
			}
			if err := field.encode(content, out); err != nil {
				return withinKey(err, field.name)
			}
		}
		out.closeMap(count)
		return nil
	}
}
