package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// StateDir is the folder of a project that holds what the gateway makes.
func StateDir(project string) string { return filepath.Join(project, ".al") }

// DatabaseFile is where a project's store is.
func DatabaseFile(project string) string { return filepath.Join(StateDir(project), "al.db") }

// RunsDir is where a project's runs leave their output.
func RunsDir(project string) string { return filepath.Join(StateDir(project), "runs") }

// Instance says where the running gateway of a project is. It is a file, so
// that other commands find it.
type Instance struct {
	PID       int       `json:"pid"`
	URL       string    `json:"url"`
	StartedAt time.Time `json:"startedAt"`
}

func instanceFile(project string) string { return filepath.Join(StateDir(project), "gateway.json") }

// ErrNotRunning: no gateway runs on this project.
var ErrNotRunning = errors.New("no gateway runs on this project")

// ErrStarting is an ErrNotRunning, too: a gateway is there, and can not be
// talked to yet, or any more.
var ErrStarting = fmt.Errorf("%w yet: it is starting, or about to end", ErrNotRunning)

// Find returns the running gateway of a project, or ErrNotRunning.
func Find(project string) (Instance, error) {
	var in Instance
	lock := flock.New(lockFile(project))
	if _, err := os.Stat(lockFile(project)); err != nil {
		return in, ErrNotRunning
	}
	free, err := lock.TryRLock()
	if err != nil {
		return in, fmt.Errorf("look for a running gateway: %w", err)
	}
	if free {
		return in, errors.Join(ErrNotRunning, lock.Unlock())
	}
	raw, err := os.ReadFile(instanceFile(project))
	if errors.Is(err, fs.ErrNotExist) {
		return in, ErrStarting
	}
	if err != nil {
		return in, err
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return in, fmt.Errorf("%s: %w", instanceFile(project), err)
	}
	return in, nil
}

// Taken says whether a gateway has the project, be it one that still starts or
// is about to leave.
func Taken(project string) bool {
	if _, err := os.Stat(lockFile(project)); err != nil {
		return false
	}
	lock := flock.New(lockFile(project))
	free, err := lock.TryRLock()
	if err == nil && free {
		err = lock.Unlock()
	}
	return err != nil || !free
}

func lockFile(project string) string { return filepath.Join(StateDir(project), "al.lock") }

// lockPatience outlasts a command that looks whether a gateway runs: it holds
// the lock for a moment to find out.
const lockPatience = 200 * time.Millisecond

// lockProject makes this process the only gateway of the project. The lock goes
// with the process, however that ends.
func lockProject(project string) (release func() error, err error) {
	if err := os.MkdirAll(StateDir(project), 0o700); err != nil {
		return nil, fmt.Errorf("make the state folder: %w", err)
	}
	lock := flock.New(lockFile(project), flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(context.Background(), lockPatience)
	defer cancel()
	got, err := lock.TryLockContext(ctx, lockPatience/10)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("lock the project: %w", err)
	}
	if !got {
		who := ""
		if raw, err := os.ReadFile(instanceFile(project)); err == nil {
			var in Instance
			if json.Unmarshal(raw, &in) == nil {
				who = fmt.Sprintf(" (process %d, %s)", in.PID, in.URL)
			}
		}
		return nil, fmt.Errorf("a gateway already runs on this project%s; stop it first, or use another project folder", who)
	}
	// What a killed gateway left behind is not about this one.
	if err := os.Remove(instanceFile(project)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(err, lock.Unlock())
	}
	return lock.Unlock, nil
}

// announce writes the instance file, whole or not at all.
func announce(project string, in Instance) error {
	raw, err := json.Marshal(in)
	if err != nil {
		return err
	}
	tmp := instanceFile(project) + ".tmp"
	if err := os.WriteFile(tmp, append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("say where the gateway is: %w", err)
	}
	return os.Rename(tmp, instanceFile(project))
}

func unannounce(project string) error {
	err := os.Remove(instanceFile(project))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
