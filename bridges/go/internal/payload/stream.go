package payload

import (
	"fmt"
	"time"
)

// Limits of the protocol: a payload may nest 128 lists and maps, a whole document 32 more.
const (
	PayloadDepth  = 128
	DocumentDepth = PayloadDepth + 32
)

type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindInteger  // in token.integer
	kindUnsigned // in token.unsigned, beyond int64
	kindFloat
	kindString // in token.text, which may point into the input
	kindBytes  // in token.text, likewise
	kindTimestamp
	kindDuration
	kindDecimal // in token.text
	kindUUID
	kindList // token.length items, or -1 when only the end will tell
	kindMap
)

var kindNames = [...]string{
	"null", "a bool", "an integer", "an integer", "a float", "a string", "bytes", "a timestamp",
	"a duration", "a decimal", "a UUID", "a list", "a map",
}

func (k kind) String() string { return kindNames[k] }

// token is one scalar, or the head of a list or map.
type token struct {
	kind     kind
	boolean  bool
	integer  int64
	unsigned uint64
	float    float64
	text     []byte
	moment   time.Time
	id       UUID
	length   int
}

// source is a pull parser. A reader calls next; after a list head it calls item until false,
// reading one value after each true; after a map head it calls key likewise.
type source interface {
	next(*token) error
	item(index, length int) (bool, error)
	// key returns the next key, valid until the source is used again.
	key(index, length int) ([]byte, bool, error)
	// position is the offset of the next unread byte, behind any white space.
	position() int
	input() []byte
	// end refuses bytes after the value.
	end() error
}

// sink is the writing side.
type sink interface {
	null()
	boolean(bool)
	integer(int64)
	unsigned(uint64)
	float(float64)
	text(string) error
	bytes([]byte)
	timestamp(time.Time) error
	duration(time.Duration)
	decimal(string) error
	uuid(UUID)
	// openList and openMap take the length, or -1 when only the end will tell; the closing calls
	// take the number of items in any case.
	openList(length int) error
	closeList(count int)
	openMap(length int) error
	key(string) error
	closeMap(count int)
	// raw copies a finished value that is already in this sink's encoding.
	raw([]byte)
	encoding() Encoding
	output() []byte
}

// levels counts the open lists and maps of a source and knows the keys of the open maps.
type levels struct {
	limit int
	depth int
	// lenient lets refused content pass as long as the structure holds; see Salvage.
	lenient bool
	// keys of all open maps, one after the other; starts marks where each map begins.
	keys   [][]byte
	starts []int
	// large holds the keys of a map that has outgrown a linear search.
	large map[int]map[string]struct{}
}

const linearKeys = 16

func (l *levels) open(isMap bool) error {
	if l.depth >= l.limit {
		return refuse(TooDeep, "more lists and maps inside one another than the protocol allows")
	}
	l.depth++
	if isMap {
		l.starts = append(l.starts, len(l.keys))
	}
	return nil
}

func (l *levels) closeList() { l.depth-- }

func (l *levels) closeMap() {
	l.depth--
	last := len(l.starts) - 1
	l.keys = l.keys[:l.starts[last]]
	l.starts = l.starts[:last]
	if l.large != nil {
		delete(l.large, last)
	}
}

// addKey refuses a key that the innermost map has had.
func (l *levels) addKey(key []byte) error {
	if l.lenient {
		return nil
	}
	last := len(l.starts) - 1
	own := l.keys[l.starts[last]:]
	if len(own) < linearKeys {
		for _, other := range own {
			if string(other) == string(key) {
				return duplicateKey(key)
			}
		}
		l.keys = append(l.keys, key)
		return nil
	}
	seen := l.large[last]
	if seen == nil {
		seen = make(map[string]struct{}, 4*linearKeys)
		for _, other := range own {
			seen[string(other)] = struct{}{}
		}
		if l.large == nil {
			l.large = map[int]map[string]struct{}{}
		}
		l.large[last] = seen
	}
	if _, twice := seen[string(key)]; twice {
		return duplicateKey(key)
	}
	seen[string(key)] = struct{}{}
	return nil
}

func duplicateKey(key []byte) error {
	return refuse(DuplicateKey, fmt.Sprintf("the key %q comes twice", clip(string(key))))
}

// skip reads one value and forgets it; it refuses all that a full read would.
func skip(in source) error {
	var head token
	if err := in.next(&head); err != nil {
		return err
	}
	switch head.kind {
	case kindList:
		for index := 0; ; index++ {
			more, err := in.item(index, head.length)
			if err != nil || !more {
				return err
			}
			if err := skip(in); err != nil {
				return withinIndex(err, index)
			}
		}
	case kindMap:
		for index := 0; ; index++ {
			key, more, err := in.key(index, head.length)
			if err != nil || !more {
				return err
			}
			if err := skip(in); err != nil {
				return withinKey(err, key)
			}
		}
	}
	return nil
}
