package payload

import (
	"reflect"
	"strings"
	"sync"
)

// field is a struct field as the json tag names it: `json:"name,omitempty"`, omitzero, "-".
type field struct {
	name      string
	index     []int
	omitEmpty bool
	omitZero  bool
	typ       reflect.Type
	encode    encodeFunc
	decode    decodeFunc
}

type fieldSet struct {
	list []field
	// byName finds the position of a field in list.
	byName map[string]int
	// someOmit says that the number of written fields depends on their content.
	someOmit bool
}

var fieldSets sync.Map

func fieldsOf(typ reflect.Type) *fieldSet {
	if known, found := fieldSets.Load(typ); found {
		return known.(*fieldSet)
	}
	set := &fieldSet{byName: map[string]int{}}
	set.collect(typ, nil)
	for position := range set.list {
		own := &set.list[position]
		own.encode = encoderOf(own.typ)
		own.decode = decoderOf(own.typ)
		set.someOmit = set.someOmit || own.omitEmpty || own.omitZero || len(own.index) > 1
	}
	known, _ := fieldSets.LoadOrStore(typ, set)
	return known.(*fieldSet)
}

// collect adds the fields of a struct; those of an embedded struct join in where no field of the
// outer struct has their name.
func (s *fieldSet) collect(typ reflect.Type, outer []int) {
	var embedded []reflect.StructField
	for position := 0; position < typ.NumField(); position++ {
		declared := typ.Field(position)
		name, options, _ := strings.Cut(declared.Tag.Get("json"), ",")
		structure := declared.Type
		if structure.Kind() == reflect.Pointer {
			structure = structure.Elem()
		}
		switch {
		case name == "-" && options == "":
		case declared.Anonymous && name == "" && structure.Kind() == reflect.Struct &&
			!isOwnScalar(structure):
			embedded = append(embedded, declared)
		case declared.IsExported():
			s.add(declared, name, options, outer)
		}
	}
	for _, declared := range embedded {
		structure := declared.Type
		if structure.Kind() == reflect.Pointer {
			// An unexported embedded pointer could not be filled.
			if !declared.IsExported() || len(outer) > 16 {
				continue
			}
			structure = structure.Elem()
		}
		s.collect(structure, append(append([]int{}, outer...), declared.Index...))
	}
}

func (s *fieldSet) add(declared reflect.StructField, name, options string, outer []int) {
	if name == "" {
		name = declared.Name
	}
	if _, taken := s.byName[name]; taken {
		return
	}
	s.byName[name] = len(s.list)
	s.list = append(s.list, field{
		name:      name,
		index:     append(append([]int{}, outer...), declared.Index...),
		omitEmpty: hasOption(options, "omitempty"),
		omitZero:  hasOption(options, "omitzero"),
		typ:       declared.Type,
	})
}

func hasOption(options, wanted string) bool {
	for _, option := range strings.Split(options, ",") {
		if option == wanted {
			return true
		}
	}
	return false
}

// in finds the field in its struct and says whether it is to be written.
func (f *field) in(structure reflect.Value) (reflect.Value, bool) {
	content := structure
	for depth, position := range f.index {
		if depth > 0 && content.Kind() == reflect.Pointer {
			if content.IsNil() {
				return content, false
			}
			content = content.Elem()
		}
		content = content.Field(position)
	}
	return content, !(f.omitEmpty && isEmpty(content)) && !(f.omitZero && content.IsZero())
}

// room finds the field in an addressable struct and makes the embedded pointers on the way.
func (f *field) room(structure reflect.Value) reflect.Value {
	content := structure
	for depth, position := range f.index {
		if depth > 0 && content.Kind() == reflect.Pointer {
			if content.IsNil() {
				content.Set(reflect.New(content.Type().Elem()))
			}
			content = content.Elem()
		}
		content = content.Field(position)
	}
	return content
}

// isEmpty is encoding/json's idea of omitempty.
func isEmpty(value reflect.Value) bool {
	switch value.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return value.Len() == 0
	case reflect.Struct:
		return false
	}
	return value.IsZero()
}
