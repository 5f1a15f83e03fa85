// Package daemon is mkad at work: one goroutine for each port owns that port's KaY and SecY, follows its lower device,
// and carries between them what package mka orders and what the network brings.
//
// A received frame that makes a port's goroutine panic would be a broken invariant of ours: the process ends, the
// service manager starts it again, and under must-secure the lower device stays closed meanwhile.
package daemon
