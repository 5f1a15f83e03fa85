package userspace_test

import (
	"io"
	"net"
	"runtime"
	"testing"

	"mkad/secy"
)

// BenchmarkLink carries TCP from west to east, over the bare wire and over two Ports in this process, and reports how
// many allocations there were for each frame: of the test's own reading and writing there are next to none.
func BenchmarkLink(b *testing.B) {
	b.Run("path=veth", func(b *testing.B) {
		west, east := newWire(b)
		must(b, west.AddAddress(lowerName, "192.0.2.1/24"))
		must(b, east.AddAddress(lowerName, "192.0.2.2/24"))
		benchmarkTCP(b, &station{ns: west}, &station{ns: east})
	})
	for _, suite := range secy.CipherSuites {
		b.Run("path=secy/suite="+suite.String(), func(b *testing.B) {
			set := secured
			set.CipherSuite = suite
			west, east := securedPair(b, set)
			frames := west.Counters().OutPktsEncrypted
			mallocs := benchmarkTCP(b, west, east)
			frames = west.Counters().OutPktsEncrypted - frames
			b.ReportMetric(float64(mallocs)/float64(frames), "mallocs/frame")
		})
	}
}

// benchmarkTCP transfers b.N chunks and returns how many allocations the process made meanwhile.
func benchmarkTCP(b *testing.B, west, east *station) uint64 {
	const chunk = 1 << 20
	client, server := connect(b, west, east, eastAddresses[0])
	must(b, client.SetDeadline(never))
	must(b, server.SetDeadline(never))
	received := make(chan error, 1)
	go drain(server, received)
	data := randomData(chunk)
	b.SetBytes(chunk)
	before := mallocs()
	for b.Loop() {
		_, err := client.Write(data)
		must(b, err)
	}
	must(b, client.Close())
	must(b, <-received)
	return mallocs() - before
}

func drain(from net.Conn, done chan<- error) {
	_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{from}, make([]byte, 1<<18))
	done <- err
}

func mallocs() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.Mallocs
}
