package mkatest

import (
	"container/heap"

	"mkad/mka"
)

// An appointment is something that will happen: a frame arrives, a SecY reports.
type appointment struct {
	at     mka.Time
	serial uint64 // orders what happens at one time
	do     func()
}

// An agenda is a heap of appointments.
type agenda []appointment

func (a agenda) at() mka.Time {
	if len(a) == 0 {
		return never
	}
	return a[0].at
}

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	if a[i].at != a[j].at {
		return a[i].at < a[j].at
	}
	return a[i].serial < a[j].serial
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(appointment)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	(*a)[len(*a)-1] = appointment{}
	*a = (*a)[:len(*a)-1]
	return last
}

// An alarm is when a station wants to be woken.
type alarm struct {
	at    mka.Time
	index int // in alarms; -1: it is not set
}

// Alarms is a heap of the ports whose alarm is set, so that ten thousand stations cost no more to ask than two.
type alarms []*port

func (a alarms) at() mka.Time {
	if len(a) == 0 {
		return never
	}
	return a[0].alarm.at
}

// set puts the port's alarm to at, or off.
func (a *alarms) set(p *port, at mka.Time) {
	set := p.alarm.index >= 0
	switch {
	case at == never && set:
		heap.Remove(a, p.alarm.index)
	case at == never:
	case set && at == p.alarm.at:
	case set:
		p.alarm.at = at
		heap.Fix(a, p.alarm.index)
	default:
		p.alarm.at = at
		heap.Push(a, p)
	}
}

func (a alarms) Len() int { return len(a) }
func (a alarms) Less(i, j int) bool {
	if a[i].alarm.at != a[j].alarm.at {
		return a[i].alarm.at < a[j].alarm.at
	}
	return a[i].order < a[j].order
}
func (a alarms) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].alarm.index, a[j].alarm.index = i, j
}
func (a *alarms) Push(x any) {
	p := x.(*port)
	p.alarm.index = len(*a)
	*a = append(*a, p)
}
func (a *alarms) Pop() any {
	p := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	p.alarm.index = -1
	return p
}
