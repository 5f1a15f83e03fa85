package daemon

import (
	"context"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"

	"mkad/internal/config"
	linkwatch "mkad/internal/port"
)

// CheckKeys reads the CAK file of every port and returns what is wrong with them. That no key of a file is valid now is a
// warning: another day one may be.
func CheckKeys(cfg *config.Config) (all config.Problems) {
	seen := map[string]bool{}
	for _, p := range cfg.Ports {
		if seen[p.Keys] {
			continue
		}
		seen[p.Keys] = true
		keys, problems := config.LoadKeys(p.Keys)
		all = append(all, problems...)
		if len(keys) > 0 && !anyValid(keys, time.Now()) {
			all = append(all, config.Problem{File: p.Keys, Line: keys[0].Line, Key: "key.start", What: "no key is valid now",
				Remedy: "add one that is, or mend start and end", Warning: true})
		}
		for i := range keys {
			keys[i].CAK.Wipe()
		}
	}
	return all
}

func anyValid(keys []config.Key, t time.Time) bool {
	for i := range keys {
		if validAt(&keys[i], t) {
			return true
		}
	}
	return false
}

// CheckHost compares the configuration with the host as it is now. What another day may be otherwise is a warning.
func CheckHost(cfg *config.Config) (all config.Problems) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	links, err := linkwatch.Watch(ctx)
	for _, p := range cfg.Ports {
		if err != nil {
			all = append(all, warning(cfg, p, "interface", fmt.Sprintf("the host's devices cannot be looked up: %v", err),
				"check again where mkad is to run"))
			continue
		}
		lower := links.Link(p.Interface)
		all = append(all, checkLower(cfg, p, lower)...)
		if c := links.Link(p.Controlled); c.Exists && c.Kind != "tun" && c.Kind != "macsec" {
			all = append(all, warning(cfg, p, "controlled", fmt.Sprintf("%s exists and is not mkad's", p.Controlled),
				"remove it, or choose another name"))
		}
		if _, _, err := choose(p, offersFor(p, lower.Index)); err != nil {
			all = append(all, warning(cfg, p, "backend", err.Error(), `mkad will not serve the port as it is; "auto" takes what there is`))
		}
	}
	return all
}

func checkLower(cfg *config.Config, p config.Port, link linkwatch.Link) config.Problems {
	if !link.Exists {
		return config.Problems{warning(cfg, p, "interface", p.Interface+" does not exist now", "mkad waits for it")}
	}
	if err := linkwatch.Lowerable(link); err != nil {
		return config.Problems{warning(cfg, p, "interface", err.Error(), "mkad will not serve the port as it is")}
	}
	if p.Uncontrolled == config.Closed {
		return checkClosed(cfg, p, link.Index)
	}
	return nil
}

// checkClosed warns of what stops working once the lower device is closed to the host.
func checkClosed(cfg *config.Config, p config.Port, index int) (all config.Problems) {
	link := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index, Name: p.Interface}}
	remedy := fmt.Sprintf("move it to %s, or set uncontrolled = \"open\"", p.Controlled)
	addrs, err := netlink.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return nil
	}
	for _, a := range addrs {
		if !a.IP.IsLinkLocalUnicast() {
			all = append(all, warning(cfg, p, "interface", fmt.Sprintf("%s has the address %s, which leads nowhere once %s is closed",
				p.Interface, a.IPNet, p.Interface), remedy))
		}
	}
	routes, err := netlink.RouteList(link, netlink.FAMILY_ALL)
	if err != nil {
		return all
	}
	for _, r := range routes {
		if r.Dst == nil || r.Dst.IP.IsUnspecified() {
			return append(all, warning(cfg, p, "interface", fmt.Sprintf("%s has the default route, which leads nowhere once %s is closed",
				p.Interface, p.Interface), remedy))
		}
	}
	return all
}

func warning(cfg *config.Config, p config.Port, key, what, remedy string) config.Problem {
	w := cfg.PortProblem(p.Interface, key, what, remedy)
	w.Warning = true
	return w
}
