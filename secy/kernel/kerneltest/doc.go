// Package kerneltest is a kernel for tests: the part of Linux that package kernel speaks to, in memory, with the manners
// of drivers/net/macsec.c that bite.
//
//	k := kerneltest.New()
//	lower := k.AddDevice("eth1", mac, 1500)
//	d, err := kernel.Open(kernel.Config{Exchange: k.Exchange, Lower: lower, …})
//	k.Fail("ADD_RXSA", unix.ENOSPC)  // the next one
//	k.Device("macsec0").SecY.Transmit[1].PN = 0
//
// Its numbers are written down from the kernel's headers once more, so that a wrong one in package kernel shows.
package kerneltest
