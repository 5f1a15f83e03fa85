// Package secy is the SecY of IEEE 802.1AE: its vocabulary, and the frame code.
//
// The vocabulary comes first. A KaY orders a SecY by [Op] values and hears back by [Report] values; both are plain
// comparable data, so the machine that orders (package mka) and the SecYs that obey (secy/kernel, secy/userspace)
// share nothing else. Below it stands a software SecY: [SecY] protects and verifies one frame at a time. It opens no
// socket, reads no clock, starts no goroutine and draws no random number.
//
// Clauses are those of 802.1AE-2018 unless said otherwise.
package secy
