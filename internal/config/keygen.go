package config

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// keyFileHead begins every file that GenerateKey makes.
const keyFileHead = "# A CAK file of mkad: the same on every member of the link, mode 0600, and secret.\n[[key]]\n"

// cknSize is the length of a generated CKN in octets: drawn at random, no two are ever the same.
const cknSize = 16

// GenerateKey makes the text of a CAK file with one new key of 128 or 256 bits and a random CKN, reading both from
// rand, which must be cryptographically secure. The caller owns the text and clears it after use.
func GenerateKey(bits int, rand io.Reader) ([]byte, error) {
	if bits != 128 && bits != 256 {
		return nil, fmt.Errorf("generate CAK: %d bits is no size of a CAK, use 128 or 256", bits)
	}
	random := make([]byte, cknSize+bits/8)
	defer clear(random)
	if _, err := io.ReadFull(rand, random); err != nil {
		return nil, fmt.Errorf("generate CAK: read random octets: %w", err)
	}
	// All the room at once: growing would leave a copy of the key behind.
	text := make([]byte, 0, len(keyFileHead)+hex.EncodedLen(len(random))+len("ckn = \"\"\ncak = \"\"\n"))
	text = append(text, keyFileHead...)
	text = appendHex(text, "ckn", random[:cknSize])
	return appendHex(text, "cak", random[cknSize:]), nil
}

// appendHex appends a line name = "digits".
func appendHex(text []byte, name string, octets []byte) []byte {
	text = append(text, name+` = "`...)
	text = hex.AppendEncode(text, octets)
	return append(text, "\"\n"...)
}

// WriteKeyFile writes a new file with mode 0600 and brings it to disk. What root writes belongs to whom the directory does:
// to the user that the service runs as, or to root. It never touches a file that exists: the error is then fs.ErrExist.
// data stays the caller's.
func WriteKeyFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("write CAK file: %w; name another file, or remove this one when its key is no longer in use", err)
	}
	if err != nil {
		return fmt.Errorf("write CAK file: %w", err)
	}
	_, err = f.Write(data)
	if err = cmp.Or(err, inherit(f, filepath.Dir(path)), f.Sync(), f.Close()); err != nil {
		os.Remove(path)
		return fmt.Errorf("write CAK file: %w; make room for it, or name another place", err)
	}
	return nil
}

// inherit gives a file of root to the owner of its directory.
func inherit(f *os.File, dir string) error {
	info, err := os.Stat(dir)
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	if owner.Uid == 0 {
		return nil
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}
