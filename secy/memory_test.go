package secy

import "testing"

// What was put in last is found with its own value, and the oldest goes.
func TestMemoryHoldsTheLastEntriesWithTheirValues(t *testing.T) {
	m := memory[int, string]{limit: 3}
	for key, v := range []string{"zero", "one", "two", "three", "four"} {
		m.put(key, v)
	}
	m.drop(3)
	m.drop(7)
	for key, want := range []string{"", "", "two", "", "four"} {
		if got, ok := m.get(key); got != want || ok != (want != "") {
			t.Errorf("under %d is %q, %t; want %q", key, got, ok, want)
		}
	}
	if len(m.keys) != 2 || len(m.values) != 2 {
		t.Errorf("%d keys and %d values, want 2 and 2", len(m.keys), len(m.values))
	}
}
