package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/action-llama/gateway/host/handover"
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
	ID        string    `json:"id,omitempty"`
	Version   string    `json:"version,omitempty"`
	// Socket is where another al takes over from it.
	Socket string `json:"socket,omitempty"`
}

func instanceFile(project string) string { return filepath.Join(StateDir(project), "gateway.json") }

// ErrNotRunning: no gateway runs on this project.
var ErrNotRunning = errors.New("no gateway runs on this project")

// ErrStarting is an ErrNotRunning, too: a gateway is there, and can not be
// talked to yet, or any more.
var ErrStarting = fmt.Errorf("%w yet: it is starting, or about to end", ErrNotRunning)

// Find returns the running gateway of a project, or ErrNotRunning.
func Find(project string) (Instance, error) {
	held, err := handover.Held(lockFile(project))
	if err != nil {
		return Instance{}, fmt.Errorf("look for a running gateway: %w", err)
	}
	if !held {
		return Instance{}, ErrNotRunning
	}
	return current(project)
}

// current reads the instance file.
func current(project string) (in Instance, err error) {
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

// Taken says whether a gateway has the project, be it one that still starts, is
// about to leave, or has handed over and finishes its runs.
func Taken(project string) bool {
	held, err := handover.Held(lockFile(project))
	if held || err != nil {
		return true
	}
	living, err := gatewaysOf(project)
	return len(living) > 0 || err != nil
}

func lockFile(project string) string { return filepath.Join(StateDir(project), "al.lock") }

// lockPatience outlasts a command that looks whether a gateway runs: it holds
// the lock for a moment to find out.
const lockPatience = 200 * time.Millisecond

// lockProject makes this process the only gateway of the project. The lock goes
// with the process, however that ends.
func lockProject(project string) (*handover.Lock, error) {
	if err := os.MkdirAll(StateDir(project), 0o700); err != nil {
		return nil, fmt.Errorf("make the state folder: %w", err)
	}
	lock, err := handover.TryLock(lockFile(project))
	for deadline := time.Now().Add(lockPatience); lock == nil && err == nil && time.Now().Before(deadline); {
		<-time.After(lockPatience / 10)
		lock, err = handover.TryLock(lockFile(project))
	}
	if err != nil {
		return nil, fmt.Errorf("lock the project: %w", err)
	}
	if lock == nil {
		who, how := "", "stop it first"
		if in, err := current(project); err == nil {
			who = fmt.Sprintf(" (process %d, %s)", in.PID, in.URL)
			if in.Socket != "" {
				how = "al start --takeover takes over from it, or stop it first"
			}
		}
		return nil, fmt.Errorf("a gateway already runs on this project%s; %s, or use another project folder", who, how)
	}
	// What a killed gateway left behind is not about this one.
	if err := os.Remove(instanceFile(project)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(err, lock.Release())
	}
	return lock, nil
}

// announce writes the instance file, whole or not at all.
func announce(project string, in Instance) error {
	raw, err := json.Marshal(in)
	if err != nil {
		return err
	}
	tmp := fmt.Sprintf("%s.%d.tmp", instanceFile(project), in.PID)
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
