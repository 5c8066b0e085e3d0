package stdio

import (
	"fmt"
	"os"
	"sync"
)

// Chosen reports whether the engine started this process as a child on its pipes.
func Chosen() bool { return os.Getenv("PERDURE_TRANSPORT") == "stdio" }

type pipes struct {
	in, out *os.File
}

var takePipes = sync.OnceValues(func() (pipes, error) {
	nothing, err := os.Open(os.DevNull)
	if err != nil {
		return pipes{}, err
	}
	out, err := takeFile(os.Stdout, os.Stderr, "engine")
	if err != nil {
		return pipes{}, fmt.Errorf("perdure: cannot move stdout: %w", err)
	}
	in, err := takeFile(os.Stdin, nothing, "engine")
	if err != nil {
		return pipes{}, fmt.Errorf("perdure: cannot move stdin: %w", err)
	}
	os.Stdout, os.Stdin = os.Stderr, nothing
	return pipes{in, out}, nil
})

// The pipes are taken before main runs, so that no print of the program, however early, gets
// between the frames. Without PERDURE_TRANSPORT=stdio nothing is touched.
func init() {
	if Chosen() {
		_, _ = takePipes() // Pipes reports the error
	}
}

// Pipes gives the engine's pipes. From then on os.Stdout is stderr and os.Stdin is empty.
func Pipes() (in, out *os.File, err error) {
	taken, err := takePipes()
	return taken.in, taken.out, err
}
