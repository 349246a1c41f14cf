package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Write stores fields of a credential, each a file that only its owner can
// read. A field is replaced as a whole or not at all; fields that are not named
// stay as they are.
func (c Credentials) Write(typ, instance string, fields map[string]string) error {
	ref := CredentialRef{Type: typ, Instance: instance}
	for _, name := range []string{typ, instance} {
		if !credentialName.MatchString(name) {
			return fmt.Errorf(`credential %q: not a name: use letters, digits, ".", "_" and "-"`, shorten(ref.String()))
		}
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return fmt.Errorf("credential %s: %w", ref, err)
	}
	all, err := os.OpenRoot(c.Dir)
	if err != nil {
		return fmt.Errorf("credential %s: %w", ref, err)
	}
	defer all.Close()
	if err := all.MkdirAll(filepath.Join(typ, instance), 0o700); err != nil {
		return fmt.Errorf("credential %s: make %s: %w", ref, c.path(ref, ""), bare(err))
	}
	root, err := all.OpenRoot(filepath.Join(typ, instance))
	if err != nil {
		return fmt.Errorf("credential %s: open %s: %w", ref, c.path(ref, ""), bare(err))
	}
	defer root.Close()
	for name, text := range fields {
		if !credentialName.MatchString(name) {
			return fmt.Errorf("credential %s: %q is not a name for a field", ref, shorten(name))
		}
		if err := writeField(root, name, text); err != nil {
			return fmt.Errorf("credential %s: write %s: %w", ref, c.path(ref, name), bare(err))
		}
	}
	return nil
}

// writeField goes by way of a second file, so that a crash leaves the old text
// or the new one. Its name begins with a dot, which no field's does.
func writeField(root *os.Root, name, text string) (err error) {
	draft := "." + name + ".new"
	if err := root.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := root.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = root.Remove(draft)
		}
	}()
	// The newline is for people who look at the file. Reading takes one off, so
	// a text that ends in one keeps it.
	_, err = f.WriteString(text + "\n")
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return root.Rename(draft, name)
}

// Remove deletes a credential. Its absence satisfies errors.Is with
// fs.ErrNotExist.
func (c Credentials) Remove(typ, instance string) error {
	ref := CredentialRef{Type: typ, Instance: instance}
	stored, err := c.List()
	if err != nil {
		return err
	}
	if !slices.Contains(stored, ref) {
		return c.missing(ref, []string{c.path(ref, "")})
	}
	all, err := os.OpenRoot(c.Dir)
	if err != nil {
		return fmt.Errorf("remove credential %s: %w", ref, err)
	}
	defer all.Close()
	if err := all.RemoveAll(filepath.Join(typ, instance)); err != nil {
		return fmt.Errorf("remove credential %s: %w", ref, bare(err))
	}
	// The folder of the type goes with its last instance.
	_ = all.Remove(typ)
	return nil
}
