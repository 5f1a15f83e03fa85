package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"mkad/internal/netlab/mkadlab"
)

// The network that is leased from, another one than that of the fixed addresses (RFC 5737).
const (
	leaseServer = "198.51.100.1"
	leaseFirst  = "198.51.100.100"
	leaseLast   = "198.51.100.150"
)

// leaseScript is what udhcpc calls with what it has learned in its environment.
const leaseScript = `#!/bin/sh
[ "$1" = bound ] || exit 0
ip address add "$ip/$mask" dev "$interface"
echo "leased $ip"
`

// lease gets an address across the link by DHCP: broadcast, ARP and UDP from a host that has no address yet.
func (d *demo) lease(ctx context.Context) error {
	server, err := d.startServer()
	if err != nil {
		return err
	}
	defer server.Stop()
	address, err := d.askForLease(ctx)
	if err != nil {
		return fmt.Errorf("lease an address: %w", err)
	}
	out, err := d.link.East.Run(ctx, "ping", "-n", "-q", "-c", "1", "-w", "5", "-I", address, leaseServer)
	if err != nil {
		return err
	}
	d.say("east leased %s by DHCP across the link, and pings from it", address)
	return allAnswered(out, 1)
}

type stopper interface{ Stop() }

// startServer runs dnsmasq for DHCP and nothing else. In its debug mode it stays in the foreground and keeps its user,
// as it must in a user namespace, which has no other.
func (d *demo) startServer() (stopper, error) {
	if err := d.link.West.AddAddress(mkadlab.Controlled, leaseServer+"/24"); err != nil {
		return nil, err
	}
	var ignored strings.Builder
	return d.link.West.Start(&ignored, "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0",
		"--no-resolv", "--no-hosts", "--no-ping", "--dhcp-authoritative", "--bind-interfaces",
		"--interface="+mkadlab.Controlled, "--dhcp-range="+leaseFirst+","+leaseLast+",1h",
		"--dhcp-leasefile="+filepath.Join(d.link.Dir(), "leases"))
}

func (d *demo) askForLease(ctx context.Context) (string, error) {
	script := filepath.Join(d.link.Dir(), "lease.sh")
	if err := os.WriteFile(script, []byte(leaseScript), 0o755); err != nil {
		return "", err
	}
	out, err := d.link.East.Run(ctx, "busybox", "udhcpc", "-f", "-q", "-n", "-t", "10", "-T", "1",
		"-i", mkadlab.Controlled, "-s", script)
	if err != nil {
		return "", err
	}
	return leased(out)
}

func leased(output string) (string, error) {
	for line := range strings.Lines(output) {
		if address, ok := strings.CutPrefix(line, "leased "); ok {
			return strings.TrimSpace(address), nil
		}
	}
	return "", fmt.Errorf("udhcpc was bound to no address: %s", output)
}
