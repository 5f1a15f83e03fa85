// Package smoke has the tests of the guest itself: that what the tests of mkad build on is there and works. They run
// in a guest of any kernel:
//
//	go test -c -o bin/ ./internal/guest/smoke
//	go run ./internal/guest/run -kernel uml -- bin/smoke.test -test.v
package smoke
