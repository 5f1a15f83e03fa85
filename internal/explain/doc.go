// Package explain says why a port is not secured: a pure function from what a port observes to a verdict in words.
//
//	verdict := explain.Explain(evidence)
//	// unknown-ckn: 02:00:00:00:00:02 uses CKN 0002, which is not among the valid keys in /etc/mkad/keys/eth1.toml;
//	// use one CKN on both sides
//
// The conditions are a table ([conditions]) in the order in which they are looked for: what keeps a port from being served at
// all, then its device, its keys, what its peers say, and last what is not heard. The first that holds is the verdict,
// for those after it may follow from it.
package explain
