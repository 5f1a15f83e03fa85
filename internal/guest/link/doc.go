// Package link holds the tests of whole mkads on a kernel that has macsec. They run in a guest only.
package link
