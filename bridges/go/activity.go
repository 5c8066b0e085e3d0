package perdure

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/perdure/perdure-go/internal/envelope"
	"github.com/perdure/perdure-go/internal/payload"
	"github.com/perdure/perdure-go/internal/worker"
)

// Go's methods have no type parameters, so that activities are added by functions, one for each
// number of arguments. Service.Register takes the odd shapes by reflection.

// Activity adds an activity of one argument. A mistake in the name is reported by Run.
func Activity[A, R any](
	service *Service, name string, handle func(ctx context.Context, argument A) (R, error),
) {
	service.add(name, func(
		ctx context.Context, arguments Value, encoding Encoding,
	) (Value, error) {
		var argument A
		if err := read(arguments, &argument); err != nil {
			return Value{}, err
		}
		result, err := handle(ctx, argument)
		return write(result, err, encoding)
	})
}

// Activity0 adds an activity without arguments.
func Activity0[R any](service *Service, name string, handle func(ctx context.Context) (R, error)) {
	service.add(name, func(
		ctx context.Context, arguments Value, encoding Encoding,
	) (Value, error) {
		if err := read(arguments); err != nil {
			return Value{}, err
		}
		result, err := handle(ctx)
		return write(result, err, encoding)
	})
}

// Activity2 adds an activity of two arguments.
func Activity2[A, B, R any](
	service *Service, name string, handle func(ctx context.Context, first A, second B) (R, error),
) {
	service.add(name, func(
		ctx context.Context, arguments Value, encoding Encoding,
	) (Value, error) {
		var first A
		var second B
		if err := read(arguments, &first, &second); err != nil {
			return Value{}, err
		}
		result, err := handle(ctx, first, second)
		return write(result, err, encoding)
	})
}

// Activity3 adds an activity of three arguments. For more, take a struct or use Register.
func Activity3[A, B, C, R any](
	service *Service, name string,
	handle func(ctx context.Context, first A, second B, third C) (R, error),
) {
	service.add(name, func(
		ctx context.Context, arguments Value, encoding Encoding,
	) (Value, error) {
		var first A
		var second B
		var third C
		if err := read(arguments, &first, &second, &third); err != nil {
			return Value{}, err
		}
		result, err := handle(ctx, first, second, third)
		return write(result, err, encoding)
	})
}

func read(arguments Value, targets ...any) error {
	places := make([]reflect.Value, len(targets))
	for index, target := range targets {
		places[index] = reflect.ValueOf(target).Elem()
	}
	return invalidArguments(arguments.Arguments(places...))
}

func invalidArguments(err error) error {
	if err == nil {
		return nil
	}
	return &worker.RaisedError{Failure: envelope.NotStarted(
		envelope.TypeInvalidArguments, err.Error(), false)}
}

func write(result any, err error, encoding Encoding) (Value, error) {
	if err != nil {
		return Value{}, err
	}
	encoded, err := payload.Encode(result, encoding)
	if err != nil {
		return Value{}, &worker.RaisedError{Failure: envelope.Raised(
			envelope.TypeUnencodableResult, err.Error(), false)}
	}
	return encoded, nil
}

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
)

// Register adds any function of the form
//
//	func([context.Context,] arguments…) ([result,] [error])
//
// It checks the form now and reports a wrong one from Run.
func (s *Service) Register(name string, function any) {
	value := reflect.ValueOf(function)
	shape, err := shapeOf(value)
	if err != nil {
		s.wrong(fmt.Errorf("perdure: activity %q: %w", name, err))
		return
	}
	s.add(name, func(ctx context.Context, arguments Value, encoding Encoding) (Value, error) {
		inputs := make([]reflect.Value, 0, len(shape.arguments)+1)
		for _, typ := range shape.arguments {
			inputs = append(inputs, reflect.New(typ).Elem())
		}
		if err := invalidArguments(arguments.Arguments(inputs...)); err != nil {
			return Value{}, err
		}
		if shape.takesContext {
			inputs = append([]reflect.Value{reflect.ValueOf(ctx)}, inputs...)
		}
		outputs := value.Call(inputs)
		var result any
		if shape.hasResult {
			result = outputs[0].Interface()
		}
		if shape.hasError {
			err, _ := outputs[len(outputs)-1].Interface().(error)
			return write(result, err, encoding)
		}
		return write(result, nil, encoding)
	})
}

type shape struct {
	takesContext bool
	arguments    []reflect.Type
	hasResult    bool
	hasError     bool
}

func shapeOf(function reflect.Value) (shape, error) {
	var found shape
	if function.Kind() != reflect.Func || function.IsNil() {
		return found, errors.New("not a function")
	}
	typ := function.Type()
	if typ.IsVariadic() {
		return found, errors.New("variadic functions have no form on the wire; take a slice")
	}
	for index := 0; index < typ.NumIn(); index++ {
		if index == 0 && typ.In(0) == contextType {
			found.takesContext = true
			continue
		}
		found.arguments = append(found.arguments, typ.In(index))
	}
	outputs := typ.NumOut()
	if outputs > 0 && typ.Out(outputs-1) == errorType {
		found.hasError = true
		outputs--
	}
	found.hasResult = outputs == 1
	if outputs > 1 {
		return found, errors.New("an activity has one result and an error")
	}
	return found, nil
}
