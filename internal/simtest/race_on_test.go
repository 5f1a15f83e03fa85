//go:build race

package main

// raceEnabled says whether the race detector watches.
const raceEnabled = true
