// Package hardware has the tests of the devices that a guest is given: emulated NICs and the kernel's simulated one.
//
//	go test -c -o bin/ ./internal/guest/smoke/hardware
//	go run ./internal/guest/run -nics 2 -netdevsim -- bin/hardware.test -test.v
package hardware
