package netlab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// streamType is Local Experimental EtherType 1 of IEEE 802, which no host's stack answers.
const streamType EtherType = 0x88b5

// A numbered frame: broadcast destination, source, streamType, then stream and number, then padding.
const (
	streamHeader   = addresses + 2
	streamIDOffset = streamHeader
	numberOffset   = streamIDOffset + 8
	minStreamFrame = 60 // octets without FCS, as Ethernet has it
)

// maxStream bounds how many frames one stream sends: a bit of memory for each tells what was lost, 32 MiB at most.
const maxStream = 1 << 28

// burstInterval is the beat of a stream, or that of its frames if there are fewer: as many frames as are due are sent at
// once, as hosts do.
const burstInterval = time.Millisecond

const (
	// quiet is how long nothing may arrive after the last frame was sent before what is missing counts as lost, on a machine
	// that is not busy. One that is shows it by the silences before, see rest.
	quiet = 300 * time.Millisecond
	// maxQuiet bounds it after an outage, which is a silence too.
	maxQuiet = 3 * time.Second
)

var streamID atomic.Uint64 // tells the streams of one program apart

// StreamConfig says what a Stream sends. From and To are devices that are joined by what is to be tested.
type StreamConfig struct {
	FromNamespace, ToNamespace *Namespace
	From, To                   string
	Rate                       int // frames per second, at least 1
	Size                       int // octets of a frame without FCS; 60 if less
}

// A Stream sends numbered frames from one device to another at a steady rate, and knows those that arrive.
type Stream struct {
	cfg      StreamConfig
	id       uint64
	out      *os.File
	receiver receiver
	stop     chan struct{}
	sent     chan error
	received chan error
	report   StreamReport
	next     uint64   // number to be sent next; the sender's until it ends
	seen     []uint64 // a bit per number
	last     time.Time
	lastHigh uint64

	// For both goroutines: of the report Sent, Received and Silence.
	sentFrames, arrived atomic.Uint64
	silence             atomic.Int64
}

// A StreamReport says what became of a Stream's frames.
type StreamReport struct {
	Sent     uint64
	Refused  uint64 // by the sending device, for instance because it had no carrier: not sent
	Received uint64 // different ones
	Twice    uint64 // frames that came again
	Late     uint64 // frames that came after a later one
	// Silence is the longest time between two arrivals.
	Silence time.Duration
	// Overrun counts frames that the measuring socket had no room for: the measurement's own fault, and not Lost.
	Overrun uint64
	// FirstMissing and LastMissing are numbers of frames, from 0, that never arrived, refused ones among them: whether one
	// event lost them, and which. Both are 0 when none is missing.
	FirstMissing, LastMissing uint64
}

// Lost returns how many frames were sent and never arrived.
func (r StreamReport) Lost() uint64 {
	if arrived := r.Received + r.Overrun; arrived < r.Sent {
		return r.Sent - arrived
	}
	return 0
}

// String is the report on one line.
func (r StreamReport) String() string {
	text := fmt.Sprintf("sent %d, received %d, lost %d, twice %d, late %d, refused %d, overrun %d, longest silence %s",
		r.Sent, r.Received, r.Lost(), r.Twice, r.Late, r.Refused, r.Overrun, r.Silence.Round(10*time.Microsecond))
	if r.Lost()+r.Refused > 0 {
		text += fmt.Sprintf(", missing from %d to %d", r.FirstMissing, r.LastMissing)
	}
	return text
}

// StartStream begins to send and to receive. The caller stops it.
func StartStream(cfg StreamConfig) (*Stream, error) {
	cfg.Size = max(cfg.Size, minStreamFrame)
	s := &Stream{cfg: cfg, id: streamID.Add(1), stop: make(chan struct{}), sent: make(chan error, 1),
		received: make(chan error, 1)}
	from, err := cfg.FromNamespace.Device(cfg.From)
	if err != nil {
		return nil, err
	}
	if s.receiver.file, err = cfg.ToNamespace.openSocket(cfg.To, uint16(streamType)); err != nil {
		return nil, err
	}
	if s.out, err = cfg.FromNamespace.openSocket(cfg.From, 0); err != nil {
		return nil, errors.Join(err, s.receiver.file.Close())
	}
	go func() { s.received <- s.receive() }()
	go func() { s.sent <- s.send(s.frame(from.MAC)) }()
	return s, nil
}

func (s *Stream) frame(source net.HardwareAddr) []byte {
	f := make([]byte, s.cfg.Size)
	copy(f, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	copy(f[6:], source)
	binary.BigEndian.PutUint16(f[addresses:], uint16(streamType))
	binary.BigEndian.PutUint64(f[streamIDOffset:], s.id)
	return f
}

// send keeps to the rate by the clock, not by the number of beats: a late beat sends more.
func (s *Stream) send(frame []byte) error {
	beat := time.NewTicker(max(burstInterval, time.Second/time.Duration(s.cfg.Rate)))
	defer beat.Stop()
	start := time.Now()
	for {
		select {
		case <-s.stop:
			return nil
		case <-beat.C:
		}
		due := min(uint64(time.Since(start).Seconds()*float64(s.cfg.Rate)), maxStream)
		for ; s.next < due; s.next++ {
			binary.BigEndian.PutUint64(frame[numberOffset:], s.next)
			if err := s.sendOne(frame); err != nil {
				return fmt.Errorf("send on %s: %w", s.cfg.From, err)
			}
		}
	}
}

func (s *Stream) sendOne(frame []byte) error {
	_, err := s.out.Write(frame)
	switch {
	case err == nil:
		s.report.Sent++
		s.sentFrames.Store(s.report.Sent)
	case errors.Is(err, unix.ENETDOWN), errors.Is(err, unix.ENOBUFS):
		s.report.Refused++
	default:
		return err
	}
	return nil
}

func (s *Stream) receive() error {
	for {
		frame, at, err := s.receiver.read()
		switch {
		case errors.Is(err, unix.ENETDOWN):
		case errors.Is(err, os.ErrDeadlineExceeded):
			return s.drain()
		case err != nil:
			return fmt.Errorf("receive on %s: %w", s.cfg.To, err)
		default:
			if err := s.note(frame, at); err != nil {
				return err
			}
		}
	}
}

// drain takes what the socket still holds: on a busy machine the deadline may be noticed before the frames are.
func (s *Stream) drain() error {
	for {
		frame, at, err := s.receiver.poll()
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENETDOWN):
			return nil
		case err != nil:
			return fmt.Errorf("receive on %s: %w", s.cfg.To, err)
		}
		if err := s.note(frame, at); err != nil {
			return err
		}
	}
}

// note enters a frame into the books. Every arrival of the last part pushes the end of the wait back.
func (s *Stream) note(frame []byte, at time.Time) error {
	if len(frame) < minStreamFrame || binary.BigEndian.Uint64(frame[streamIDOffset:]) != s.id {
		return nil
	}
	if number := binary.BigEndian.Uint64(frame[numberOffset:]); number < maxStream {
		s.enter(number, at)
	}
	select {
	case <-s.stop:
		return s.receiver.file.SetReadDeadline(time.Now().Add(s.rest()))
	default:
		return nil
	}
}

// rest is how long to wait for the next frame: longer while some are missing, if there were long silences before.
func (s *Stream) rest() time.Duration {
	if s.arrived.Load() >= s.sentFrames.Load() {
		return quiet
	}
	return min(quiet+2*time.Duration(s.silence.Load()), maxQuiet)
}

func (s *Stream) enter(number uint64, at time.Time) {
	word, bit := number/64, uint64(1)<<(number%64)
	for uint64(len(s.seen)) <= word {
		s.seen = append(s.seen, 0)
	}
	if s.seen[word]&bit != 0 {
		s.report.Twice++
		return
	}
	s.seen[word] |= bit
	if s.report.Received > 0 {
		s.report.Silence = max(s.report.Silence, at.Sub(s.last))
		s.silence.Store(int64(s.report.Silence))
		if number < s.lastHigh {
			s.report.Late++
		}
	}
	s.report.Received++
	s.arrived.Store(s.report.Received)
	s.last, s.lastHigh = at, max(s.lastHigh, number)
}

// Stop ends the sending, waits until no more frames arrive, and tells what became of them. It is called once.
func (s *Stream) Stop() (StreamReport, error) {
	defer s.out.Close()
	defer s.receiver.file.Close()
	close(s.stop)
	sent := <-s.sent
	deadline := s.receiver.file.SetReadDeadline(time.Now().Add(s.rest()))
	received := <-s.received
	overrun, err := overruns(s.receiver.file)
	s.report.Overrun = overrun
	s.report.FirstMissing, s.report.LastMissing = s.missing()
	return s.report, errors.Join(sent, deadline, received, err)
}

// missing finds the first and the last number that was given out and not seen.
func (s *Stream) missing() (first, last uint64) {
	found := false
	for n := uint64(0); n < s.next; n++ {
		if word := n / 64; word < uint64(len(s.seen)) && s.seen[word]>>(n%64)&1 != 0 {
			continue
		}
		if !found {
			first, found = n, true
		}
		last = n
	}
	return first, last
}
