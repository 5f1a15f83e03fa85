package guest

import (
	"fmt"
	"path/filepath"
)

// A Kernel names what runs the guest, and how.
type Kernel string

// The kernels that there are.
const (
	QEMU   Kernel = "qemu"     // Debian's 6.12, in qemu
	QEMU61 Kernel = "qemu-6.1" // Debian 12's own 6.1, in qemu
	UML    Kernel = "uml"      // Debian's user-mode Linux 6.1: one CPU, no race detector, no nftables netdev chains
)

// Kernels lists them, the usual one first.
var Kernels = []Kernel{QEMU, QEMU61, UML}

// A flavour is how to get a kernel, and what it needs.
type flavour struct {
	packages []string // Debian's, beside those of every guest; a meta-package stands for its newest version
	image    string   // a pattern of the unpacked tree: the kernel itself
	modules  string   // a pattern of the unpacked tree: its modules, in a directory named by the release
	load     []string // modules that every guest loads, with what they depend on
	demand   []string // modules that the kernel or a test loads when it wants them
	preload  bool     // whether it is a program of this machine that needs the library of preload.go
}

// macsec.ko names no cipher as its dependency, so all that gcm(aes) is made of is loaded by name; the fast one where
// the processor has it.
var (
	ciphers    = []string{"gcm", "ghash-generic"}
	fastCipher = []string{"ghash-clmulni-intel", "aesni-intel"}
	links      = []string{"macsec", "veth", "8021q", "bridge", "bonding", "dummy", "tun"}
	shaping    = []string{"sch_netem", "sch_ingress", "cls_flower", "act_gact"}
	filters    = []string{"crc32c_generic", "nf_tables", "nft_limit", "nft_ct", "nft_reject"}
	// sometimes are wanted by single tests; what is made by "ip link add" or nft comes by itself.
	sometimes = []string{"macvlan", "team", "vrf", "tls", "psample"}
	hardware  = []string{"e1000", "virtio_net"}
)

var flavours = map[Kernel]flavour{
	QEMU: {
		packages: []string{"linux-image-6.12-amd64"},
		image:    "boot/vmlinuz-*",
		modules:  "lib/modules/*",
		load:     join(ciphers, fastCipher, links, shaping, filters),
		demand:   join(sometimes, hardware, []string{"nft_fwd_netdev", "nft_dup_netdev"}),
	},
	QEMU61: {
		packages: []string{"linux-image-amd64"},
		image:    "boot/vmlinuz-*",
		modules:  "lib/modules/*",
		load:     join([]string{"virtio_pci", "virtio_console"}, ciphers, fastCipher, links, shaping, filters),
		demand:   join(sometimes, hardware, []string{"nft_fwd_netdev", "nft_dup_netdev"}),
	},
	UML: {
		packages: []string{"user-mode-linux"},
		image:    "usr/bin/linux.uml",
		modules:  "usr/lib/uml/modules/*",
		load:     join(ciphers, []string{"ipv6", "ctr"}, links, shaping, filters),
		demand:   sometimes,
		preload:  true,
	},
}

func join(lists ...[]string) (all []string) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

func flavourOf(k Kernel) (flavour, error) {
	f, known := flavours[k]
	if !known {
		return f, fmt.Errorf("kernel %q is not known; use one of %q", k, Kernels)
	}
	return f, nil
}

// inTree finds the one file of an unpacked tree that a pattern means.
func inTree(tree, pattern string) (string, error) {
	found, err := filepath.Glob(filepath.Join(tree, pattern))
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("find %s among the unpacked packages: %d files match, want 1", pattern, len(found))
	}
	return found[0], nil
}
