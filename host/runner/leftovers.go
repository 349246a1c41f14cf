package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
)

// recordName is the file in a run's folder that exists while its harness does.
const recordName = "process.json"

// record identifies the process group of a run, and the host that started it.
// A pid alone does not: numbers are used again. It is there before the process
// is, with a pid of 0, since a host may die between the two.
type record struct {
	PID       int    `json:"pid"`   // of the harness, and the number of its group
	Start     uint64 `json:"start"` // of the harness, in clock ticks since boot
	Boot      string `json:"boot"`
	HostPID   int    `json:"hostPid"`
	HostStart uint64 `json:"hostStart"`
}

// KillLeftovers kills what is left of runs whose host died under them, and
// returns how many there were. A host calls it when it starts, with the folder
// of its runs, before it starts any. Runs of a host that is still alive are
// left alone, and so is whatever can not be told for sure from somebody else's.
// It looks only on Linux; elsewhere it does nothing.
func KillLeftovers(dir string) (int, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look for leftover runs: %w", err)
	}
	left := make(map[string]record)
	var errs []error
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		path := filepath.Join(dir, e.Name(), recordName)
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		var r record
		// A record that a crash cut short says nothing; it is removed below.
		if json.Unmarshal(raw, &r) == nil && hostAlive(r) {
			continue
		}
		left[e.Name()] = r
	}
	if len(left) == 0 {
		return 0, errors.Join(errs...)
	}
	killed, err := killRuns(maps.Clone(left))
	if err != nil {
		return killed, errors.Join(append(errs, fmt.Errorf("kill leftover runs: %w", err))...)
	}
	for run := range left {
		if err := os.Remove(filepath.Join(dir, run, recordName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return killed, errors.Join(errs...)
}

func writeRecord(dir string, pid int) error {
	r, err := newRecord(pid)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	// Whole or not at all: the host may die any moment.
	file := filepath.Join(dir, recordName)
	if err := os.WriteFile(file+".tmp", raw, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".tmp", file)
}
