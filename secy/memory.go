package secy

import "slices"

// maxSpentKeys bounds the keys that a SecY remembers to have transmitted with. A KaY that offered a key again would offer
// the last or the one before; this is far more, in 16 KiB. At one new key a Life Time it reaches back 100 minutes.
const maxSpentKeys = 1024

// maxReplayStates bounds the uses of keys, by SC, of which a SecY remembers the replay state: the latest and the old key
// of as many receive SCs as there can be.
const maxReplayStates = 2 * maxReceiveSCs

// maxReceivingKeys bounds the keys that are enabled for reception: more than there are ANs cannot have SAs.
const maxReceivingKeys = numANs

// A replayKey names an SC's use of a key.
type replayKey struct {
	sci SCI
	key KeyID
}

// A memory holds what was put into it last, at most limit entries; then the oldest goes. It is searched from end to end:
// only orders do so, never frames.
type memory[K comparable, V any] struct {
	limit  int
	keys   []K
	values []V
}

// get returns what was put under a key.
func (m *memory[K, V]) get(key K) (v V, ok bool) {
	if i := slices.Index(m.keys, key); i >= 0 {
		return m.values[i], true
	}
	return v, false
}

// put enters a key that is not in the memory.
func (m *memory[K, V]) put(key K, v V) {
	if len(m.keys) == m.limit {
		m.keys, m.values = slices.Delete(m.keys, 0, 1), slices.Delete(m.values, 0, 1)
	}
	m.keys, m.values = append(m.keys, key), append(m.values, v)
}

// drop forgets a key.
func (m *memory[K, V]) drop(key K) {
	if i := slices.Index(m.keys, key); i >= 0 {
		m.keys, m.values = slices.Delete(m.keys, i, i+1), slices.Delete(m.values, i, i+1)
	}
}
