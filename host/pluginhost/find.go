package pluginhost

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/action-llama/gateway/host/spelling"
	"github.com/action-llama/gateway/sdk"
)

var (
	// ErrNotFound: no folder has a binary for the type.
	ErrNotFound = errors.New("provider not found")
	// ErrUnusable: the file is there, but this machine can not run it, or must
	// not, since others can change it.
	ErrUnusable = errors.New("provider can not be run")
)

// Binary is a provider's file, found but not started.
type Binary struct {
	Type string
	Path string
	// Shadowed are files of the same type in later folders.
	Shadowed []string
}

// Find looks for providers of every type in the folders, in their order. The
// first file of a type wins, even when it is unusable: falling back to another
// version in silence would be worse than an error. The folders should therefore
// come with the most deliberate choice first: the one that [plugins] dir names,
// the project's .al/plugins, the user's ~/.action-llama/plugins, and last
// plugins/ beside al, which is what a release brings.
//
// A folder that does not exist is none; the errors are about single files and
// unreadable folders, and the binaries without fault are returned all the same,
// by type.
func Find(dirs []string) ([]Binary, []error) {
	var found []Binary
	var errs []error
	byType, folderErrs := candidates(dirs)
	errs = append(errs, folderErrs...)
	for _, typ := range sortedKeys(byType) {
		b, err := inspect(typ, byType[typ])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		found = append(found, b)
	}
	return found, errs
}

// Lookup finds the provider of one type, by the rules of [Find]. Its errors are
// [ErrNotFound] or [ErrUnusable] and say what to do.
func Lookup(dirs []string, typ string) (Binary, error) {
	byType, _ := candidates(dirs)
	if paths := byType[typ]; len(paths) > 0 {
		return inspect(typ, paths)
	}
	hint := "put it into one of them, or correct the type"
	if near := spelling.DidYouMean(typ, sortedKeys(byType)); near != "" {
		hint = near
	}
	return Binary{}, fmt.Errorf("%w: no file %s%s in %s; %s",
		ErrNotFound, sdk.BinaryPrefix, typ, strings.Join(dirs, ", "), hint)
}

// candidates lists the files that are named like a provider, by type, in the
// order of the folders.
func candidates(dirs []string) (map[string][]string, []error) {
	byType := map[string][]string{}
	var errs []error
	seen := map[string]bool{}
	for _, dir := range dirs {
		if dir = filepath.Clean(dir); seen[dir] {
			continue
		}
		seen[dir] = true
		entries, err := os.ReadDir(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			errs = append(errs, fmt.Errorf("look for providers: %w", err))
			continue
		}
		for _, e := range entries {
			if typ, ok := sdk.TypeOfBinary(e.Name()); ok {
				byType[typ] = append(byType[typ], filepath.Join(dir, e.Name()))
			}
		}
	}
	return byType, errs
}

func inspect(typ string, paths []string) (Binary, error) {
	b := Binary{Type: typ, Path: paths[0], Shadowed: paths[1:]}
	if abs, err := filepath.Abs(b.Path); err == nil {
		b.Path = abs // a process started elsewhere, or after a chdir, is the same one
	}
	if err := runnable(b.Path); err != nil {
		return Binary{}, fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	if err := guarded(b.Path); err != nil {
		return Binary{}, fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	return b, nil
}

func sortedKeys(m map[string][]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Types lists the types of which the folders have a file, whether it can be run
// or not.
func Types(dirs []string) []string {
	byType, _ := candidates(dirs)
	return sortedKeys(byType)
}
