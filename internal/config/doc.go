// Package config reads what an administrator writes: the configuration of mkad and the CAK files that it names.
//
// Both are TOML, both are read whole and validated whole: a reader gets every problem of a file at once, each with its
// file, line and key, what is wrong and what to write instead. A file with an error yields nothing, so that whatever
// runs goes on untouched; a file with warnings is good.
//
//	cfg, problems := config.Load("/etc/mkad/mkad.toml")
//	for _, p := range problems {
//		fmt.Fprintln(os.Stderr, p) // /etc/mkad/mkad.toml:12: port.send_sic: is no key of [[port]]; write send_sci
//	}
//	if cfg == nil { // there are errors among the problems
//		os.Exit(2)
//	}
//	for _, port := range cfg.Ports {
//		keys, problems := config.LoadKeys(port.Keys)
//		start(port, keys, problems)
//	}
//
// The configuration holds no key and goes through a TOML library. A CAK file holds nothing else: it has a small parser
// of its own, which works on octets that are wiped afterwards, makes no Go string of them, and never quotes the file.
//
// Nothing here keeps state between calls or starts a goroutine; every function may be called from many at once.
package config
