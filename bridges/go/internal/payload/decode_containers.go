package payload

import (
	"bytes"
	"fmt"
	"reflect"
	"sync"
)

func makePointerDecoder(typ reflect.Type) decodeFunc {
	element := decoderOf(typ.Elem())
	return func(in source, head *token, out reflect.Value) error {
		if head.kind == kindNull {
			out.SetZero()
			return nil
		}
		if out.IsNil() {
			out.Set(reflect.New(typ.Elem()))
		}
		return element(in, head, out.Elem())
	}
}

func makeSliceDecoder(typ reflect.Type) decodeFunc {
	if typ.Elem().Kind() == reflect.Uint8 {
		return func(in source, head *token, out reflect.Value) error {
			switch head.kind {
			case kindNull:
				out.SetZero()
			case kindBytes:
				out.SetBytes(bytes.Clone(head.text))
			default:
				return wrongKind(head, "bytes")
			}
			return nil
		}
	}
	element := decoderOf(typ.Elem())
	zero := reflect.Zero(typ.Elem())
	return func(in source, head *token, out reflect.Value) error {
		if head.kind == kindNull {
			out.SetZero()
			return nil
		}
		if head.kind != kindList {
			return wrongKind(head, "a list")
		}
		// A head may lie about its length, so it decides at most the first growth.
		list := reflect.MakeSlice(typ, 0, max(0, min(head.length, 64)))
		for index := 0; ; index++ {
			more, err := in.item(index, head.length)
			if err != nil {
				return err
			}
			if !more {
				out.Set(list)
				return nil
			}
			list = reflect.Append(list, zero)
			if err := decodeNext(in, element, list.Index(index)); err != nil {
				return withinIndex(err, index)
			}
		}
	}
}

func makeArrayDecoder(typ reflect.Type) decodeFunc {
	length := typ.Len()
	if typ.Elem().Kind() == reflect.Uint8 {
		return scalar(kindBytes, "bytes", func(head *token, out reflect.Value) error {
			if len(head.text) != length {
				detail := fmt.Sprintf("expected %d bytes, found %d", length, len(head.text))
				return refuse(WrongKind, detail)
			}
			reflect.Copy(out, reflect.ValueOf(head.text))
			return nil
		})
	}
	element := decoderOf(typ.Elem())
	return func(in source, head *token, out reflect.Value) error {
		if head.kind != kindList {
			return wrongKind(head, "a list")
		}
		for index := 0; ; index++ {
			more, err := in.item(index, head.length)
			if err != nil {
				return err
			}
			if more == (index == length) {
				return refuse(WrongKind, fmt.Sprintf("expected a list of %d items", length))
			}
			if !more {
				return nil
			}
			if err := decodeNext(in, element, out.Index(index)); err != nil {
				return withinIndex(err, index)
			}
		}
	}
}

func makeMapDecoder(typ reflect.Type) decodeFunc {
	if typ.Key().Kind() != reflect.String {
		return func(source, *token, reflect.Value) error {
			return refuse(KeyNotString, fmt.Sprintf("the keys of a Go %s are no strings", typ))
		}
	}
	element := decoderOf(typ.Elem())
	return func(in source, head *token, out reflect.Value) error {
		if head.kind == kindNull {
			out.SetZero()
			return nil
		}
		if head.kind != kindMap {
			return wrongKind(head, "a map")
		}
		entries := reflect.MakeMap(typ)
		for index := 0; ; index++ {
			borrowed, more, err := in.key(index, head.length)
			if err != nil {
				return err
			}
			if !more {
				out.Set(entries)
				return nil
			}
			key := reflect.ValueOf(string(borrowed)).Convert(typ.Key())
			content := reflect.New(typ.Elem()).Elem()
			if err := decodeNext(in, element, content); err != nil {
				return withinKey(err, key.String())
			}
			entries.SetMapIndex(key, content)
		}
	}
}

// makeStructDecoder reads a map into the fields it knows and ignores the others.
func makeStructDecoder(typ reflect.Type) decodeFunc {
	// Asked for at the first use, since a recursive type needs this very decoder.
	fieldsOnce := sync.OnceValue(func() *fieldSet { return fieldsOf(typ) })
	return func(in source, head *token, out reflect.Value) error {
		if head.kind != kindMap {
			return wrongKind(head, "a map")
		}
		fields := fieldsOnce()
		for index := 0; ; index++ {
			key, more, err := in.key(index, head.length)
			if err != nil || !more {
				return err
			}
			position, known := fields.byName[string(key)]
			if !known {
				if err := skip(in); err != nil {
					return withinKey(err, string(key))
				}
				continue
			}
			field := &fields.list[position]
			if err := decodeNext(in, field.decode, field.room(out)); err != nil {
				return withinKey(err, field.name)
			}
		}
	}
}

// decodeAny gives nil, bool, int64, uint64 (beyond int64), float64, string, []byte, []any,
// map[string]any, time.Time, time.Duration, Decimal and UUID.
func decodeAny(in source, head *token, out reflect.Value) error {
	value, err := anyOf(in, head)
	if err != nil {
		return err
	}
	if value == nil {
		out.SetZero()
		return nil
	}
	out.Set(reflect.ValueOf(value))
	return nil
}

func anyOf(in source, head *token) (any, error) {
	switch head.kind {
	case kindBool:
		return head.boolean, nil
	case kindInteger:
		return head.integer, nil
	case kindUnsigned:
		return head.unsigned, nil
	case kindFloat:
		return head.float, nil
	case kindString:
		return string(head.text), nil
	case kindBytes:
		return bytes.Clone(head.text), nil
	case kindTimestamp:
		return head.moment, nil
	case kindDuration:
		return durationOf(head), nil
	case kindDecimal:
		return Decimal(head.text), nil
	case kindUUID:
		return head.id, nil
	case kindList:
		return anyList(in, head.length)
	case kindMap:
		return anyMap(in, head.length)
	}
	return nil, nil
}

func anyList(in source, length int) (any, error) {
	list := make([]any, 0, max(0, min(length, 64)))
	for index := 0; ; index++ {
		more, err := in.item(index, length)
		if err != nil || !more {
			return list, err
		}
		var head token
		if err := in.next(&head); err != nil {
			return nil, withinIndex(err, index)
		}
		value, err := anyOf(in, &head)
		if err != nil {
			return nil, withinIndex(err, index)
		}
		list = append(list, value)
	}
}

func anyMap(in source, length int) (any, error) {
	entries := map[string]any{}
	for index := 0; ; index++ {
		borrowed, more, err := in.key(index, length)
		if err != nil || !more {
			return entries, err
		}
		key := string(borrowed)
		var head token
		if err := in.next(&head); err != nil {
			return nil, withinKey(err, key)
		}
		if entries[key], err = anyOf(in, &head); err != nil {
			return nil, withinKey(err, key)
		}
	}
}
