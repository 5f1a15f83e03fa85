package userspace

import (
	"fmt"
	"os"
)

// Available reports why no TAP can be opened here; nil: one can.
func Available() error {
	f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("open the TAP device: %w", err)
	}
	return f.Close()
}
