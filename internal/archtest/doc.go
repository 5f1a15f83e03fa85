// Package archtest holds the architecture of this module as rules that fail a build: who may import whom, what the pure
// packages may not touch, how packages are named, and that what is exported is documented. Its test runs them over the
// module; the rules read source text only, so they see every file, whatever it is built for.
package archtest
