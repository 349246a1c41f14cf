package config

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Write stores fields of a credential, each a file that only its owner can
// read. A new credential appears with all of its fields or not at all. Of one
// that is there, a field is replaced as a whole or not at all, and fields that
// are not named stay as they are. When it returns, a crash loses nothing of it.
func (c Credentials) Write(typ, instance string, fields map[string]string) error {
	ref := CredentialRef{Type: typ, Instance: instance}
	for _, name := range []string{typ, instance} {
		if !credentialName.MatchString(name) {
			return fmt.Errorf(`credential %q: not a name: use letters, digits, ".", "_" and "-"`, shorten(ref.String()))
		}
	}
	for name := range fields {
		if !credentialName.MatchString(name) {
			return fmt.Errorf("credential %s: %q is not a name for a field", ref, shorten(name))
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
	if err := all.Mkdir(typ, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("credential %s: make %s: %w", ref, filepath.Join(c.Dir, typ), bare(err))
	}
	of, err := all.OpenRoot(typ)
	if err != nil {
		return fmt.Errorf("credential %s: open %s: %w", ref, filepath.Join(c.Dir, typ), bare(err))
	}
	defer of.Close()

	if _, err := of.Lstat(instance); errors.Is(err, fs.ErrNotExist) {
		err = c.create(of, ref, fields)
		if !errors.Is(err, fs.ErrExist) { // somebody else may just have made it
			return errors.Join(err, syncDir(all, "."))
		}
	}
	root, err := of.OpenRoot(instance)
	if err != nil {
		return fmt.Errorf("credential %s: open %s: %w", ref, c.path(ref, ""), bare(err))
	}
	defer root.Close()
	return c.writeFields(root, ref, fields)
}

// create makes a credential beside its place, and moves it there. The name of
// the draft begins with a dot, which no instance's does.
func (c Credentials) create(of *os.Root, ref CredentialRef, fields map[string]string) (err error) {
	draft := ".new-" + rand.Text()
	if err := of.Mkdir(draft, 0o700); err != nil {
		return fmt.Errorf("credential %s: make %s: %w", ref, c.path(ref, ""), bare(err))
	}
	defer func() {
		if err != nil {
			_ = of.RemoveAll(draft)
		}
	}()
	root, err := of.OpenRoot(draft)
	if err != nil {
		return fmt.Errorf("credential %s: %w", ref, bare(err))
	}
	defer root.Close()
	if err := c.writeFields(root, ref, fields); err != nil {
		return err
	}
	if err := of.Rename(draft, ref.Instance); err != nil {
		if _, there := of.Lstat(ref.Instance); there == nil {
			return fs.ErrExist
		}
		return fmt.Errorf("credential %s: make %s: %w", ref, c.path(ref, ""), bare(err))
	}
	return syncDir(of, ".")
}

func (c Credentials) writeFields(root *os.Root, ref CredentialRef, fields map[string]string) error {
	for name, text := range fields {
		if err := writeField(root, name, text); err != nil {
			return fmt.Errorf("credential %s: write %s: %w", ref, c.path(ref, name), bare(err))
		}
	}
	if err := syncDir(root, "."); err != nil {
		return fmt.Errorf("credential %s: %w", ref, err)
	}
	return nil
}

// writeField goes by way of a second file, so that a crash leaves the old text
// or the new one. Its name begins with a dot, which no field's does.
func writeField(root *os.Root, name, text string) (err error) {
	draft := "." + name + "-" + rand.Text()
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

// syncDir makes the names in a folder outlast a crash.
func syncDir(root *os.Root, name string) error {
	dir, err := root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
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
