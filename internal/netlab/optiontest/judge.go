package optiontest

import "fmt"

// judge compares what a probe has seen with the model: faults are what was to be stopped and was seen, missing is what was to
// pass and has not been seen (yet).
func (m model) judge(s state, p *probe) (faults, missing []string) {
	j := judgement{model: m, s: s, p: p}
	for protocol := range numProtocols {
		for d := range numPlaces {
			j.outgoing(d, protocol)
			for by := range numChannels {
				j.incoming(d, protocol, by)
			}
		}
	}
	return j.faults, j.missing
}

type judgement struct {
	model
	s               state
	p               *probe
	faults, missing []string
}

// outgoing looks for what the host in the west has sent by a device.
func (j *judgement) outgoing(d place, p protocol) {
	k := token{port: uint8(j.p.port), round: j.p.round, fromWest: true, from: d, protocol: p}
	way := j.out(d, p, j.s)
	if !j.p.west[d].there {
		way = stopped
	}
	what := fmt.Sprintf("%s from the %s", p, d)
	j.expect(what+", in clear", j.p.seen[sight{k, onWire}], way == inClear, way == inClear)
	j.expect(what+", protected", j.p.seen[sight{k, atPeer}], way == protected, way == protected || way == mayProtected)
}

// incoming looks at a device of the west for what the east has sent there, and at the east for the answer.
func (j *judgement) incoming(d place, p protocol, by channel) {
	k := token{port: uint8(j.p.port), round: j.p.round, by: by, protocol: p}
	if p < dhcp {
		k.to = d
	}
	in, out := j.in(d, p, j.s), j.out(d, p, j.s)
	must, may := in == inClear, in == inClear
	answerAt := onWire
	if by == bySecY {
		must, may = in == protected, in == protected || in == mayProtected
		answerAt = atPeer
	}
	if !j.p.west[d].there {
		must, may = false, false
	}
	what := fmt.Sprintf("%s to the %s, sent %s", p, d, [...]string{"in clear", "by a SecY"}[by])
	j.expect(what, j.p.seen[sight{k, spot(d)}], must, may)
	if p < dhcp {
		j.expect("the answer to "+what, j.p.seen[sight{k, answerAt}], must && out == in, may && out == in)
	}
}

// expect enters how often something was seen that has to, or may, be seen once. An answer may come once more: the stack
// repeats some.
func (j *judgement) expect(what string, times int, must, may bool) {
	switch {
	case times > 0 && !may:
		j.faults = append(j.faults, what+" passes")
	case times == 0 && must:
		j.missing = append(j.missing, what)
	case times > 1:
		j.faults = append(j.faults, fmt.Sprintf("%s comes %d times", what, times))
	}
}
