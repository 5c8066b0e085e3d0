//go:build !unix

package stdio

import "os"

// takeFile leaves the descriptor where it is; os.Stdin and os.Stdout are re-pointed by the caller.
func takeFile(standard *os.File, _ *os.File, _ string) (*os.File, error) {
	return standard, nil
}
