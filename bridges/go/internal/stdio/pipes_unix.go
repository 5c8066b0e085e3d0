//go:build unix

package stdio

import (
	"os"

	"golang.org/x/sys/unix"
)

// takeFile moves a standard file to a new descriptor, which child processes do not inherit, and
// puts replacement in its old place.
func takeFile(standard *os.File, replacement *os.File, name string) (*os.File, error) {
	old := int(standard.Fd())
	moved, err := unix.FcntlInt(uintptr(old), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	if err := unix.Dup2(int(replacement.Fd()), old); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(moved), name), nil
}
