package payload

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readVectors decodes a golden file; a missing one fails the test.
func readVectors(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "protocol", "vectors", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

type valueVector struct {
	Name        string
	JSON        string
	MsgpackHex  string   `json:"msgpack_hex"`
	JSONAlso    []string `json:"json_also"`
	MsgpackAlso []string `json:"msgpack_also_hex"`
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestValuesKeepTheirBytesFromProfileToProfile(t *testing.T) {
	var vectors []valueVector
	readVectors(t, "values.json", &vectors)
	if len(vectors) < 90 {
		t.Fatalf("only %d vectors", len(vectors))
	}
	for _, vector := range vectors {
		t.Run(vector.Name, func(t *testing.T) {
			packed := unhex(t, vector.MsgpackHex)
			forms := map[Encoding][][]byte{JSON: {[]byte(vector.JSON)}, MessagePack: {packed}}
			for _, text := range vector.JSONAlso {
				forms[JSON] = append(forms[JSON], []byte(text))
			}
			for _, text := range vector.MsgpackAlso {
				forms[MessagePack] = append(forms[MessagePack], unhex(t, text))
			}
			for encoding, list := range forms {
				for _, form := range list {
					checkTranscode(t, form, encoding, []byte(vector.JSON), packed)
					checkDynamic(t, form, encoding, vector, packed)
				}
			}
		})
	}
}

// checkTranscode copies a form through both sinks.
func checkTranscode(t *testing.T, form []byte, encoding Encoding, text, packed []byte) {
	t.Helper()
	if _, err := Parse(form, encoding); err != nil {
		t.Fatalf("%s: %v", form, err)
	}
	for _, wanted := range []struct {
		encoding Encoding
		bytes    []byte
	}{{JSON, text}, {MessagePack, packed}} {
		in, _ := newSource(form, encoding, levels{limit: PayloadDepth})
		out, _ := newSink(wanted.encoding, nil)
		if err := transcode(in, out); err != nil {
			t.Fatalf("%q to %s: %v", form, wanted.encoding, err)
		}
		if !bytes.Equal(out.output(), wanted.bytes) {
			t.Errorf("%q to %s:\n got %q\nwant %q",
				form, wanted.encoding, out.output(), wanted.bytes)
		}
	}
}

// checkDynamic goes through Go's dynamic values; Go maps forget the order of their keys.
func checkDynamic(t *testing.T, form []byte, encoding Encoding, vector valueVector, packed []byte) {
	t.Helper()
	var value any
	if err := Unmarshal(form, encoding, &value); err != nil {
		t.Fatal(err)
	}
	again, err := Marshal(value, MessagePack)
	if err != nil {
		t.Fatal(err)
	}
	ordered := vector.Name != "map_order" && vector.Name != "list_mixed" &&
		vector.Name != "map_prototype"
	if ordered && !bytes.Equal(again, packed) {
		t.Errorf("through %T:\n got %x\nwant %x", value, again, packed)
	}
	if len(again) != len(packed) {
		t.Errorf("through %T: %d bytes, want %d", value, len(again), len(packed))
	}
}

type refusedVector struct {
	Name     string
	Encoding string
	Text     *string
	Hex      *string
	Repeat   *struct {
		Prefix, Suffix string
		Times          int
	}
	Reason Reason
	Path   string
}

func (v refusedVector) bytes(t *testing.T) ([]byte, Encoding) {
	encoding := Encoding("application/" + v.Encoding)
	switch {
	case v.Text != nil:
		return []byte(*v.Text), encoding
	case v.Hex != nil:
		return unhex(t, *v.Hex), encoding
	}
	whole := strings.Repeat(v.Repeat.Prefix, v.Repeat.Times) + v.Repeat.Suffix
	if encoding == JSON {
		return []byte(whole), encoding
	}
	return unhex(t, whole), encoding
}

func TestRefusedBytesNameReasonAndPath(t *testing.T) {
	var vectors []refusedVector
	readVectors(t, "refused.json", &vectors)
	if len(vectors) < 60 {
		t.Fatalf("only %d vectors", len(vectors))
	}
	for _, vector := range vectors {
		t.Run(vector.Encoding+"/"+vector.Name, func(t *testing.T) {
			form, encoding := vector.bytes(t)
			_, skipped := Parse(form, encoding)
			var dynamic any
			for _, err := range []error{skipped, Unmarshal(form, encoding, &dynamic)} {
				var refused *RefusedError
				if !errors.As(err, &refused) {
					t.Fatalf("accepted, or %v", err)
				}
				if refused.Reason != vector.Reason || refused.Path != vector.Path {
					t.Errorf("%v\nwant %s at %s", err, vector.Reason, vector.Path)
				}
			}
		})
	}
}

// Every prefix of every vector is refused or complete, and nothing panics on a flipped bit.
func TestDamagedBytesNeverPanic(t *testing.T) {
	var vectors []valueVector
	readVectors(t, "values.json", &vectors)
	for _, vector := range vectors {
		forms := map[Encoding][]byte{
			JSON: []byte(vector.JSON), MessagePack: unhex(t, vector.MsgpackHex),
		}
		for encoding, whole := range forms {
			for cut := 0; cut < len(whole) && cut < 400; cut++ {
				_, err := Parse(whole[:cut], encoding)
				if err == nil && encoding == MessagePack {
					t.Fatalf("%s: %d of %d bytes accepted", vector.Name, cut, len(whole))
				}
				flipped := bytes.Clone(whole)
				for bit := 0; bit < 8; bit++ {
					flipped[cut] ^= 1 << bit
					var dynamic any
					if Unmarshal(flipped, encoding, &dynamic) == nil {
						if _, err := Marshal(dynamic, encoding); err != nil {
							t.Fatalf("%s: read but not written: %v", vector.Name, err)
						}
					}
					flipped[cut] ^= 1 << bit
				}
			}
		}
	}
}
