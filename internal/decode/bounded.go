package decode

import "slices"

// A bounded is a map of at most limit entries; then the oldest goes. Who finds is quick, who makes room goes over the order.
type bounded[K comparable, V any] struct {
	limit   int
	order   []K
	entries map[K]V
	dropped func(V) // told of an entry that goes; nil: nobody is
}

func newBounded[K comparable, V any](limit int) *bounded[K, V] {
	return &bounded[K, V]{limit: limit, entries: make(map[K]V)}
}

func (b *bounded[K, V]) get(k K) (V, bool) {
	v, ok := b.entries[k]
	return v, ok
}

// put enters or replaces an entry; one that is replaced keeps its age.
func (b *bounded[K, V]) put(k K, v V) {
	if _, known := b.entries[k]; !known {
		if len(b.order) == b.limit {
			b.drop(b.order[0])
		}
		b.order = append(b.order, k)
	}
	b.entries[k] = v
}

func (b *bounded[K, V]) drop(k K) {
	v, known := b.entries[k]
	if !known {
		return
	}
	delete(b.entries, k)
	if i := slices.Index(b.order, k); i >= 0 {
		b.order = slices.Delete(b.order, i, i+1)
	}
	if b.dropped != nil {
		b.dropped(v)
	}
}

// newestFirst gives the entries.
func (b *bounded[K, V]) newestFirst(yield func(V) bool) {
	for _, k := range slices.Backward(b.order) {
		if !yield(b.entries[k]) {
			return
		}
	}
}
