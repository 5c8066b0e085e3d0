package perdure_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/perdure/perdure-go"
)

func TestMistakesAreReportedByRun(t *testing.T) {
	service := perdure.NewService("Go Audit",
		perdure.WithConcurrency(0), perdure.WithNamespace("a.b"))
	echo := func(_ context.Context, text string) (string, error) { return text, nil }
	perdure.Activity(service, "echo", echo)
	perdure.Activity(service, "echo", echo)
	perdure.Activity(service, "bad name", echo)
	perdure.Activity(service, "", echo)
	service.Register("number", 5)
	service.Register("variadic", func(...int) {})
	service.Register("two_results", func() (int, int, error) { return 0, 0, nil })
	err := service.Run(context.Background())
	if err == nil {
		t.Fatal("Run accepts everything")
	}
	for _, mistake := range []string{
		`service name "Go Audit"`, `namespace name "a.b"`, "concurrency", `"echo" is there twice`,
		`activity name "bad name"`, `activity name ""`, `"number": not a function`, "variadic",
		"one result",
	} {
		if !strings.Contains(err.Error(), mistake) {
			t.Errorf("nothing about %s in:\n%v", mistake, err)
		}
	}
	err = perdure.NewService("empty").Run(context.Background())
	if err == nil || !strings.Contains(err.Error(), "no activity") {
		t.Errorf("%v", err)
	}
}

func TestHandlersRunWithoutAnEngine(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	if info := perdure.Info(ctx); info.Attempt != 0 || info.Task != "" {
		t.Errorf("%+v", info)
	}
	if found, err := perdure.Info(ctx).HeartbeatDetails(nil); found || err != nil {
		t.Errorf("%v %v", found, err)
	}
	if err := perdure.Heartbeat(ctx, 1); err != nil {
		t.Error(err)
	}
	cancel()
	if err := perdure.Heartbeat(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestErrorIsAnOrdinaryGoError(t *testing.T) {
	cause := errors.New("no route")
	err := fmt.Errorf("charge: %w", perdure.NewError("CardDeclined", "no funds",
		perdure.WithCause(cause), perdure.RetryAfter(time.Second), perdure.WithDetails(3)))
	var declined *perdure.Error
	if !errors.As(err, &declined) || declined.RetryAfter != time.Second || !errors.Is(err, cause) {
		t.Errorf("%+v", declined)
	}
	if err.Error() != "charge: CardDeclined: no funds" {
		t.Error(err)
	}
}

type node struct {
	Name     string            `json:"name"`
	Skipped  string            `json:"-"`
	Empty    []int             `json:"empty,omitempty"`
	Zero     time.Time         `json:"zero,omitzero"`
	Children []*node           `json:"children"`
	Address  netip.Addr        `json:"address"`
	Labels   map[string]uint8  `json:"labels"`
	Extra    perdure.Value     `json:"extra"`
	Pair     [2]float32        `json:"pair"`
	Maybe    *float64          `json:"maybe"`
	Named    map[string]*int64 `json:"named"`
	base
}

type base struct {
	Kind string `json:"kind"`
	Name string `json:"name"` // hidden by the outer one
}

func TestStructsGoThereAndBack(t *testing.T) {
	half := 0.5
	sent := node{
		Name: "root", Skipped: "x", Address: netip.MustParseAddr("10.0.0.1"),
		Children: []*node{{Name: "leaf", Address: netip.MustParseAddr("::1")}},
		Labels:   map[string]uint8{"b": 2, "a": 255}, Pair: [2]float32{1, 2.5}, Maybe: &half,
		Named: map[string]*int64{"none": nil}, base: base{Kind: "tree"},
	}
	value, err := perdure.NewValue(sent)
	if err != nil {
		t.Fatal(err)
	}
	const leaf = `{"name":"leaf","children":[],"address":"::1","labels":{},"extra":null,` +
		`"pair":[0.0,0.0],"maybe":null,"named":{},"kind":""}`
	want := `{"name":"root","children":[` + leaf + `],"address":"10.0.0.1",` +
		`"labels":{"a":255,"b":2},"extra":null,"pair":[1.0,2.5],"maybe":0.5,` +
		`"named":{"none":null},"kind":"tree"}`
	if value.String() != want {
		t.Errorf("\n got %s\nwant %s", value, want)
	}
	var back node
	if err := value.Decode(&back); err != nil {
		t.Fatal(err)
	}
	again, err := perdure.NewValue(back)
	if err != nil || again.String() != want {
		t.Errorf("%v\n got %s\nwant %s", err, again, want)
	}
}

func TestWrongKindsAndRangesNameThePath(t *testing.T) {
	cases := map[string]struct {
		text   string
		target any
		says   string
	}{
		"text for int":  {`{"a":[1,"2"]}`, &map[string][]int{}, "WrongKind at $.a[1]"},
		"int8":          {`[128]`, &[]int8{}, "IntegerOutOfRange at $[0]"},
		"negative uint": {`-1`, new(uint), "IntegerOutOfRange at $"},
		"beyond int64":  {`{"$int":"18446744073709551615"}`, new(int64), "IntegerOutOfRange at $"},
		"float for int": {`1.0`, new(int), "WrongKind at $"},
		"inexact float": {`{"$int":"9007199254740993"}`, new(float64), "IntegerOutOfRange at $"},
		"null for int":  {`null`, new(int), "WrongKind at $"},
		"short array":   {`[1]`, &[2]int{}, "WrongKind at $"},
		"long array":    {`[1,2,3]`, &[2]int{}, "WrongKind at $"},
		"text for uuid": {`"x"`, &perdure.UUID{}, "WrongKind at $"},
	}
	for name, wrong := range cases {
		value, err := perdure.ParseValue([]byte(wrong.text), perdure.JSON)
		if err != nil {
			t.Fatal(err)
		}
		err = value.Decode(wrong.target)
		if err == nil || !strings.HasPrefix(err.Error(), wrong.says) {
			t.Errorf("%s: %v, want %s", name, err, wrong.says)
		}
	}
}

func TestWhatCannotTravelIsRefusedAtTheCaller(t *testing.T) {
	type loop struct{ Next *loop }
	cycle := &loop{}
	cycle.Next = cycle
	for says, value := range map[string]any{
		"Unrepresentable at $.a[0]": map[string]any{"a": []any{func() {}}},
		"KeyNotString at $":         map[int]string{1: "a"},
		"InvalidUnicode at $[0]":    []string{"\xff"},
		"InvalidUnicode at $":       map[string]int{"\xff": 1},
		"TooDeep at $.Next":         cycle,
		"InvalidScalar at $":        perdure.Decimal("1,5"),
		"InvalidScalar at $.at":     map[string]time.Time{"at": time.Unix(math.MaxInt32*1e6, 0)},
		"Unrepresentable at $":      complex(1, 2),
	} {
		_, err := perdure.NewValue(value)
		if err == nil || !strings.HasPrefix(err.Error(), says) {
			t.Errorf("%T: %v, want %s", value, err, says)
		}
	}
}
