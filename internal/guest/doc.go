// Package guest runs programs under kernels of its own: what mkad does with the kernel's macsec is proved where there is
// a macsec, whatever kernel the machine itself has. A guest is Debian's kernel, in qemu or as user-mode Linux, with a
// root in memory that has what the tests need (ip, tc, nft, tcpdump, iperf3, dnsmasq, wpa_supplicant 2.10, ...) and the
// compiled tests, which run as root there and nowhere else.
//
//	this machine                                guest
//	apt ──► image: kernel, base.cpio ─┐
//	programs, testdata ──► cpio ──────┴─ root ─► /init (init.sh): modules, then each command in /src/…
//	Stdout, Stderr ◄──────────── two ports ◄──── what the commands write, as it comes
//	Out ◄──────────────── tar, or hostfs ◄────── /out: report, dmesg, files/
//
// [Run] is for programs; command run, below, is for the shell and for go test -exec. Packages with tests for a guest use
// package guesttest. Both ends of a link are put into one guest, in two network namespaces.
//
// # What it needs
//
// An amd64 Debian 12 with apt's lists of bookworm and bookworm-security. Root is not needed, except to install, once,
// what .ci/setup names: qemu-system-x86; for user-mode Linux gcc and libc6-dev; for netdevsim gcc-12, make, binutils and
// xz-utils. What goes into the guest is downloaded and unpacked by [Prepare] into the cache directory named there, and
// never installed. A run as root puts a guest's processes into a process namespace, so that they end whatever happens;
// a run as anybody else that is killed by SIGKILL may leave idle processes of user-mode Linux behind.
//
// # The kernels
//
//	[QEMU]    6.12, with every driver (the cloud flavour has no e1000 and boots no faster), e1000 NICs, netdevsim,
//	          several CPUs, the race detector, virtual time
//	[QEMU61]  6.1, Debian 12's own; the same but netdevsim
//	[UML]     6.1 as a process: the quickest. No netdev chains of nftables, so no closed port (mkad refuses it), one
//	          CPU, no race detector, no virtual time
//
// KVM is used when a guest boots with it, which is tried once; else the processor is emulated, and AES is 25 times
// slower than on this machine. No time measured inside is one of real hardware.
package guest
