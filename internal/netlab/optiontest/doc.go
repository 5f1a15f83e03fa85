// Package optiontest tries every combination of policy, uncontrolled, bypass, on_exit and on_unsecured in every state of a
// port, and compares what passes with what the documentation promises.
//
//	west: one mkad, one port for each combination        east: one mkad, must-secure, uncontrolled = "open"
//	  macsec1 ── eth1 ──────────────────────────────────── eth1 ── macsec1
//	  macsec2 ── eth2 ──────────────────────────────────── eth2 ── macsec2
//	  …                                                    …
//
// The promises are a few functions (model.go), not a table. In each state every protocol is sent out of the lower device and
// of the Controlled Port of each port in the west, and to each of them, in clear and protected (probe.go). Whatever is seen
// where the model has it stopped is an error at once; what the model lets pass has to be seen within a bound.
package optiontest
