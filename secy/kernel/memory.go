package kernel

import (
	"slices"

	"mkad/secy"
)

// maxSpentKeys bounds the keys that a Device remembers to have made a transmit SA for. A KaY that offered a key again
// would offer the last or the one before; this is far more, in 16 KiB.
const maxSpentKeys = 1024

// maxReplays bounds the uses of keys, by SC, whose next packet number a Device remembers beyond their receive SA: the
// latest and the old key of as many receive SCs as there can be.
const maxReplays = 2 * maxReceiveSCs

// maxReceivingKeys bounds the keys that are enabled for reception: more than there are ANs cannot have SAs.
const maxReceivingKeys = numANs

// A replayKey names an SC's use of a key.
type replayKey struct {
	sci secy.SCI
	key secy.KeyID
}

// A memory holds what was put into it last, at most limit entries; then the oldest goes. Only orders search it.
type memory[K comparable, V any] struct {
	limit   int
	entries []remembered[K, V]
}

type remembered[K comparable, V any] struct {
	key   K
	value V
}

func (m *memory[K, V]) index(key K) int {
	return slices.IndexFunc(m.entries, func(e remembered[K, V]) bool { return e.key == key })
}

// get returns what was put under a key.
func (m *memory[K, V]) get(key K) (v V, ok bool) {
	if i := m.index(key); i >= 0 {
		return m.entries[i].value, true
	}
	return v, false
}

// put enters a key, as the latest one.
func (m *memory[K, V]) put(key K, v V) {
	m.drop(key)
	if len(m.entries) == m.limit {
		m.entries = slices.Delete(m.entries, 0, 1)
	}
	m.entries = append(m.entries, remembered[K, V]{key, v})
}

// drop forgets a key.
func (m *memory[K, V]) drop(key K) {
	if i := m.index(key); i >= 0 {
		m.entries = slices.Delete(m.entries, i, i+1)
	}
}
