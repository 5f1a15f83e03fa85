//go:build !race

package mka_test

// raceEnabled says whether the race detector watches.
const raceEnabled = false
