package app

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/action-llama/gateway/host/handover"
)

// A project has one gateway that serves, and, after a takeover, others that
// finish their runs. Each keeps a file here locked for as long as it lives.
func gatewaysDir(project string) string { return filepath.Join(StateDir(project), "gateways") }

const (
	gatewayExt = ".json"
	draftExt   = ".draft"
	// draftAge is far above the moment that a draft exists for.
	draftAge = time.Minute
)

func newGatewayID() string { return strings.ToLower(rand.Text()[:8]) }

// register makes a process one of the project's gateways. That ends with the
// process, however it ends, or with release.
func register(project string, in Instance) (release func() error, err error) {
	file := filepath.Join(gatewaysDir(project), in.ID+gatewayExt)
	draft := file + draftExt
	f, err := os.OpenFile(draft, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	lock, err := handover.LockOf(f)
	if err == nil && lock == nil {
		err = errors.New("somebody else has its lock")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// It is whole and locked before anybody sees it.
	if err = json.NewEncoder(f).Encode(in); err == nil {
		err = os.Rename(draft, file)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Release())
	}
	return func() error { return errors.Join(ignoreMissing(os.Remove(file)), lock.Release()) }, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// gatewaysOf lists the gateways of a project that live, the oldest first.
func gatewaysOf(project string) ([]Instance, error) {
	var living []Instance
	err := eachGateway(project, func(file string, held bool, in Instance) error {
		if held {
			living = append(living, in)
		}
		return nil
	})
	slices.SortFunc(living, func(a, b Instance) int { return a.StartedAt.Compare(b.StartedAt) })
	return living, err
}

// sweepGateways removes what killed gateways left of themselves.
func sweepGateways(project string) error {
	return eachGateway(project, func(file string, held bool, in Instance) error {
		if held {
			return nil
		}
		return errors.Join(removeSocket(in), ignoreMissing(os.Remove(file)))
	})
}

func eachGateway(project string, do func(file string, held bool, in Instance) error) error {
	entries, err := os.ReadDir(gatewaysDir(project))
	if err != nil {
		return ignoreMissing(err)
	}
	var errs []error
	for _, e := range entries {
		file := filepath.Join(gatewaysDir(project), e.Name())
		switch filepath.Ext(e.Name()) {
		case gatewayExt:
		case draftExt:
			if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > draftAge {
				errs = append(errs, ignoreMissing(os.Remove(file)))
			}
			continue
		default:
			continue
		}
		held, err := handover.Held(file)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		raw, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it left just now
		}
		var in Instance
		if err == nil {
			err = json.Unmarshal(raw, &in)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
			continue
		}
		errs = append(errs, do(file, held, in))
	}
	return errors.Join(errs...)
}

const (
	// maxSocketPath is what a socket's path may have on macOS; on Linux it is 4 more.
	maxSocketPath = 103
	// socketDirPrefix and an id name the folder of a socket whose path would be
	// too long in the project.
	socketDirPrefix = "al-gateway-"
)

// socketFile makes room for the socket of a gateway: in its project, or, where
// that path is too long, in a folder of its own among the temporary ones.
func socketFile(project, id string) (string, error) {
	if err := os.MkdirAll(gatewaysDir(project), 0o700); err != nil {
		return "", err
	}
	path, err := filepath.Abs(filepath.Join(gatewaysDir(project), id+".sock"))
	if err != nil || len(path) <= maxSocketPath {
		return path, err
	}
	dir := filepath.Join(os.TempDir(), socketDirPrefix+id)
	if path = filepath.Join(dir, "s"); len(path) > maxSocketPath {
		return "", fmt.Errorf("a socket's path would be too long in %s and in %s; set TMPDIR to a shorter path", gatewaysDir(project), os.TempDir())
	}
	return path, os.Mkdir(dir, 0o700)
}

// removeSocket removes what socketFile made, and nothing else that a file may
// name.
func removeSocket(in Instance) error {
	dir, name := filepath.Split(in.Socket)
	switch {
	case in.ID == "":
		return nil
	case name == in.ID+".sock":
		return ignoreMissing(os.Remove(in.Socket))
	case filepath.Base(dir) == socketDirPrefix+in.ID:
		return os.RemoveAll(dir)
	}
	return nil
}
