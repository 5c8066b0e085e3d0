// Package stdio speaks the bridge protocol over a pair of pipes.
package stdio

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/perdure/perdure-go/internal/envelope"
	"github.com/perdure/perdure-go/internal/worker"
)

// MaximumDocument is the largest document of the protocol: 64 MiB and 64 KiB.
const MaximumDocument = 64<<20 + 64<<10

// firstPiece is how much of a document is believed before its bytes are there.
const firstPiece = 1 << 20

type frameReader struct {
	in *bufio.Reader
}

func newFrameReader(in io.Reader) *frameReader {
	return &frameReader{bufio.NewReaderSize(in, 64<<10)}
}

// next reads one document. io.EOF means that the peer has closed between two frames.
func (r *frameReader) next() ([]byte, error) {
	var prefix [4]byte
	if _, err := io.ReadFull(r.in, prefix[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, &envelope.MalformedError{What: "the input ends inside a length", Cause: err}
		}
		return nil, err
	}
	length := int(binary.BigEndian.Uint32(prefix[:]))
	if length == 0 || length > MaximumDocument {
		what := fmt.Sprintf("a length of %d bytes, outside 1 … %d", length, MaximumDocument)
		return nil, &envelope.MalformedError{What: what}
	}
	document := make([]byte, min(length, firstPiece))
	for filled := 0; ; {
		count, err := io.ReadFull(r.in, document[filled:])
		if filled += count; err != nil {
			what := "the input ends inside a document"
			return nil, &envelope.MalformedError{What: what, Cause: err}
		}
		if filled == length {
			return document, nil
		}
		document = append(document, make([]byte, min(length-filled, 4*filled))...)
	}
}

// frameWriter lets whoever finds the pipe free write for all: one write carries every frame that
// came together while the one before was under way, and a lone frame waits for nobody.
type frameWriter struct {
	out io.Writer

	mu      sync.Mutex
	pending []byte
	spare   []byte
	writing bool
	failed  error
}

func (w *frameWriter) write(document []byte) error {
	if len(document) > MaximumDocument {
		return &worker.TooLargeError{Size: len(document), Limit: MaximumDocument}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		return w.failed
	}
	w.pending = binary.BigEndian.AppendUint32(w.pending, uint32(len(document)))
	w.pending = append(w.pending, document...)
	if w.writing {
		return nil
	}
	w.writing = true
	for len(w.pending) > 0 && w.failed == nil {
		batch := w.pending
		w.pending = w.spare[:0]
		w.mu.Unlock()
		_, err := w.out.Write(batch)
		w.mu.Lock()
		if w.failed = err; cap(batch) <= firstPiece {
			w.spare = batch
		} else {
			w.spare = nil
		}
	}
	w.writing = false
	return w.failed
}
