package mka

import "mkad/secy"

// An Output collects what a KaY wants done: in this order. The caller owns it and may reuse it after Reset; frames and
// slices are valid until then.
type Output struct {
	Ops    []secy.Op
	Frames [][]byte // whole Ethernet frames for the Uncontrolled Port, without FCS
	Events []Event

	arena []byte // holds the frames
}

// Reset empties the Output and keeps its memory.
func (o *Output) Reset() {
	clear(o.Ops) // they carry keys
	o.Ops, o.Frames, o.Events, o.arena = o.Ops[:0], o.Frames[:0], o.Events[:0], o.arena[:0]
}

func (o *Output) op(op secy.Op) { o.Ops = append(o.Ops, op) }
func (o *Output) event(e Event) { o.Events = append(o.Events, e) }
