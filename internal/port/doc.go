// Package port is the Common Port as Linux has it: the packet socket that carries EAPOL on one network device, and the
// state of network devices as netlink tells it.
//
//	watcher, err := port.Watch(ctx)             // one for the process
//	links, stop := watcher.Follow("eth1")       // one for each port
//	defer stop()
//	for link := range links {
//		if err := port.Lowerable(link); err != nil { … }
//		if link.Exists {
//			socket, err := port.Open(link.Index, 0x888e)
//			…
//		}
//	}
//
// A name may belong to no device, and to another device later: a socket belongs to a device, what follows links belongs
// to a name. Link.Life tells when to open a new socket.
package port
