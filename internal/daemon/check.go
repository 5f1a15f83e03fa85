package daemon

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"mkad/internal/config"
	linkwatch "mkad/internal/port"
)

// CheckKeys reads the CAK file of every port and returns what is wrong with them.
func CheckKeys(cfg *config.Config) (all config.Problems) {
	seen, service := map[string]bool{}, serviceUser()
	for _, p := range cfg.Ports {
		if seen[p.Keys] {
			continue
		}
		seen[p.Keys] = true
		keys, problems := loadKeys(p.Keys, time.Now())
		if all = append(all, problems...); keys != nil {
			all = append(all, unreadable(p.Keys, service)...)
		}
		for i := range keys {
			keys[i].CAK.Wipe()
		}
	}
	return all
}

// serviceUser is the user as whom the packaged service runs; nil where there is none, or for who is not root and reads no more
// than that one.
func serviceUser() *user.User {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("mkad")
	if err != nil {
		return nil
	}
	return u
}

// unreadable warns of a CAK file that root can read, and the packaged service cannot.
func unreadable(file string, service *user.User) config.Problems {
	var stat unix.Stat_t
	if service == nil || unix.Stat(file, &stat) != nil {
		return nil
	}
	switch {
	case fmt.Sprint(stat.Uid) == service.Uid && stat.Mode&0o400 != 0, fmt.Sprint(stat.Gid) == service.Gid && stat.Mode&0o040 != 0:
		return nil
	}
	return config.Problems{{File: file, Warning: true, What: "the packaged service cannot read it: it runs as the user " + service.Username,
		Remedy: fmt.Sprintf("chown %s: %s, unless mkad is run as root", service.Username, file)}}
}

// loadKeys is config.LoadKeys, with a warning when no key of the file is valid at t: another day one may be.
func loadKeys(path string, t time.Time) ([]config.Key, config.Problems) {
	keys, problems := config.LoadKeys(path)
	if len(keys) > 0 && !anyValid(keys, t) {
		problems = append(problems, noneValid(path, keys, t))
	}
	return keys, problems
}

func anyValid(keys []config.Key, t time.Time) bool {
	for i := range keys {
		if validAt(&keys[i], t) {
			return true
		}
	}
	return false
}

// noneValid is the problem of keys of which none is valid at t. It names the line of the time that is to blame: the next
// start, or, if none is to come, the last end.
func noneValid(file string, keys []config.Key, t time.Time) config.Problem {
	p := config.Problem{File: file, Remedy: "add one that is, or mend start and end", Warning: true}
	var next, last *config.Key
	for i := range keys {
		k := &keys[i]
		if k.Start.After(t) && (next == nil || k.Start.Before(next.Start)) {
			next = k
		}
		if last == nil || k.End.After(last.End) {
			last = k
		}
	}
	if next != nil {
		p.Line, p.Key = next.StartLine, "key.start"
		p.What = "no key is valid now: the next begins at " + instant(next.Start)
		return p
	}
	p.Line, p.Key = last.EndLine, "key.end"
	p.What = "no key is valid now: the last ended at " + instant(last.End)
	return p
}

// CheckHost compares the configuration with the host as it is now. What another day may be otherwise is a warning. Of the
// ports, as many are unfit as mkad would not serve as they are; one whose lower device is still to come is not.
func CheckHost(cfg *config.Config) (all config.Problems, unfit int) {
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
		faults := checkFit(cfg, p, lower, links.Link(p.Controlled))
		if len(faults) > 0 {
			unfit++
		}
		all = append(append(all, faults...), checkLower(cfg, p, lower)...)
	}
	return all, unfit
}

// checkFit says why mkad would not serve the port as it is.
func checkFit(cfg *config.Config, p config.Port, lower, controlled linkwatch.Link) (all config.Problems) {
	if err := linkwatch.Lowerable(lower); err != nil {
		all = append(all, warning(cfg, p, "interface", err.Error(), "mkad will not serve the port as it is"))
	}
	if controlled.Exists && controlled.Kind != "tun" && controlled.Kind != "macsec" {
		all = append(all, warning(cfg, p, "controlled", fmt.Sprintf("%s exists and is not mkad's", p.Controlled),
			"mkad will not serve the port as it is; remove the device, or choose another name"))
	}
	if _, _, err := choose(p, offersFor(p, lower.Index)); err != nil {
		all = append(all, warning(cfg, p, "backend", err.Error(), `mkad will not serve the port as it is; "auto" takes what there is`))
	}
	return all
}

// checkLower warns of a lower device that is still to come, or that the host uses.
func checkLower(cfg *config.Config, p config.Port, link linkwatch.Link) config.Problems {
	switch {
	case !link.Exists:
		if name := linkwatch.RealName(p.Interface); name != "" {
			return config.Problems{warning(cfg, p, "interface", fmt.Sprintf("%s is only another name of %s", p.Interface, name),
				fmt.Sprintf("write interface = %q", name))}
		}
		return config.Problems{warning(cfg, p, "interface", p.Interface+" does not exist now", "mkad waits for it")}
	case p.Uncontrolled == config.Closed && linkwatch.Lowerable(link) == nil:
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
