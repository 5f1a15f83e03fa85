package config

import "strings"

// nearest finds the known name that somebody may have meant by word: one that differs in case, in - for _, or by about
// a third of its letters. Two letters that have changed places are the likeliest slip: cnk is ckn rather than cak.
func nearest(word string, known []string) (string, bool) {
	if len(word) > maxName {
		return "", false
	}
	word = plain(word)
	best, least := "", slip*len(word)
	for _, name := range known {
		if d := distance(word, plain(name)); d < least && d <= slip*((len(name)+1)/3) {
			best, least = name, d
		}
	}
	return best, best != ""
}

func plain(name string) string { return strings.ReplaceAll(strings.ToLower(name), "-", "_") }

// What makes a word another one, by how little each is to be expected.
const (
	swap = 1 // of two neighbouring letters
	slip = 2 // a letter put in, left out or exchanged
)

// distance is what it takes at the least to make b of a, with no letter touched twice (optimal string alignment). Cell
// [i][j] is that for the first i letters of a and the first j of b.
func distance(a, b string) int {
	cells := make([][]int, len(a)+1)
	for i := range cells {
		cells[i] = make([]int, len(b)+1)
		for j := range cells[i] {
			cells[i][j] = cell(cells, a, b, i, j)
		}
	}
	return cells[len(a)][len(b)]
}

// cell computes [i][j] from those above and to the left of it.
func cell(cells [][]int, a, b string, i, j int) int {
	if i == 0 || j == 0 {
		return slip * (i + j)
	}
	least := min(cells[i-1][j], cells[i][j-1]) + slip
	if a[i-1] == b[j-1] {
		return min(least, cells[i-1][j-1])
	}
	least = min(least, cells[i-1][j-1]+slip)
	if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
		least = min(least, cells[i-2][j-2]+swap)
	}
	return least
}
