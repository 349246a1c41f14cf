package config

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// StoredField is a field as it lies there, without its value.
type StoredField struct {
	Name     string
	StoredAt time.Time
}

// Inspect lists the fields that are stored of a credential, by name.
func (c Credentials) Inspect(typ, instance string) ([]StoredField, error) {
	ref := CredentialRef{Type: typ, Instance: instance}
	root, err := c.open(ref)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("credential %s: %w", ref, bare(err))
	}
	var fields []StoredField
	for _, e := range entries {
		info, err := root.Stat(e.Name()) // links within the folder count
		if err != nil || !info.Mode().IsRegular() || !credentialName.MatchString(e.Name()) {
			continue
		}
		fields = append(fields, StoredField{Name: e.Name(), StoredAt: info.ModTime()})
	}
	return fields, nil
}

// Loose is something of a credential that others on the machine can get at.
type Loose struct {
	Path string
	Mode fs.FileMode // what it has
	Want fs.FileMode // what it should have
}

// Loose lists what others can read or change of a credential.
func (c Credentials) Loose(typ, instance string) []Loose {
	ref := CredentialRef{Type: typ, Instance: instance}
	root, err := c.open(ref)
	if err != nil {
		return nil // Read tells
	}
	defer root.Close()
	var loose []Loose
	if info, err := root.Stat("."); err == nil && info.Mode().Perm()&0o022 != 0 {
		loose = append(loose, Loose{c.path(ref, ""), info.Mode().Perm(), 0o700})
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return loose
	}
	for _, e := range entries {
		info, err := root.Stat(e.Name())
		if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&^allowed(info, os.Getuid()) != 0 {
			loose = append(loose, Loose{c.path(ref, e.Name()), info.Mode().Perm(), 0o600})
		}
	}
	return loose
}

// allowed are the bits that a field may have. Who is handed it by somebody else,
// as a volume of secrets is in a container, can only read it through the group.
func allowed(info fs.FileInfo, user int) fs.FileMode {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid == 0 && user != 0 {
		return 0o740
	}
	return 0o700
}

// Check warns of what others on the machine can read or change.
func (c Credentials) Check(typ, instance string) Problems {
	var problems Problems
	for _, l := range c.Loose(typ, instance) {
		problems.add(Warnf(Pos{File: l.Path}, "others on this machine can get at this secret (mode %04o)", l.Mode).
			WithFix("chmod %o %s", l.Want, l.Path))
	}
	return problems
}

// Tighten takes what others have away from them, and returns what it changed.
func (c Credentials) Tighten(typ, instance string) ([]Loose, error) {
	loose := c.Loose(typ, instance)
	if len(loose) == 0 {
		return nil, nil
	}
	ref := CredentialRef{Type: typ, Instance: instance}
	root, err := c.open(ref)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	for i, l := range loose {
		name := "."
		if l.Path != c.path(ref, "") {
			name = l.Path[len(c.path(ref, ""))+1:]
		}
		if err := root.Chmod(name, l.Want); err != nil {
			return loose[:i], fmt.Errorf("credential %s: %w", ref, err)
		}
	}
	return loose, nil
}
