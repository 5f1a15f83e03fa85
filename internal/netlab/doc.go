// Package netlab makes small networks inside one machine, for tests and for the demonstration: network namespaces,
// veth pairs and bridges, programs that run inside them, captures of what is on a wire, and streams of numbered frames
// that say what was lost.
//
//	west, _ := netlab.NewNamespace()
//	east, _ := netlab.NewNamespace()
//	defer west.Close()
//	defer east.Close()
//	_ = netlab.Join(west, "eth1", east, "eth1") // a wire, both ends down
//	wire, _ := netlab.StartCapture(west, "eth1")
//	_ = west.SetUp("eth1")
//	_ = east.SetUp("eth1")
//	_, _ = west.Run(ctx, "ping", "-c1", "192.0.2.2")
//	capture, _ := wire.Stop()
//
// Nothing here has a name that the rest of the machine can see. A namespace is held by a thread and by the programs in
// it; when the program that made it ends, for whatever reason, SIGKILL included, the kernel kills the programs inside
// and takes the namespace with its devices away. That is the clean-up: there is nothing to forget.
//
// Making namespaces needs CAP_SYS_ADMIN: see [Privileged] and [Reexec].
package netlab
