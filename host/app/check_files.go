package app

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/pluginhost"
)

// readPatience bounds the reading of the store, a few seconds for each GiB.
const readPatience = 30 * time.Second

// scarce is where a disk counts as nearly full. The history alone may take
// gigabytes, and a store that can not write answers 503.
const scarce = 256 << 20

func (c *checker) checkFiles() {
	state := StateDir(c.p.Dir)
	c.checkState(state)
	c.checkGitignore()
	root, err := pluginhost.SocketRoot(state)
	switch {
	case err != nil:
		c.found(AboutFiles, config.Errorf(config.Pos{File: ".al/run"}, "%v", err))
	case !strings.HasPrefix(root, state):
		c.found(AboutFiles, config.Notef(config.Pos{File: ".al/run"}, "the project's path is too long for sockets, so that those of providers are in %s", root))
	}
	if info, err := os.Stat(c.credentials.Dir); err == nil && info.Mode().Perm()&0o022 != 0 {
		c.mendable(AboutCredentials, config.Warnf(config.Pos{File: c.credentials.Dir}, "others on this machine can change what is in this folder (mode %04o)", info.Mode().Perm()).
			WithFix("chmod 700 %s", c.credentials.Dir), chmod(c.credentials.Dir, 0o700))
	}
}

// checkState looks at the folder that the gateway writes to, or at the project's
// when it is still to be made.
func (c *checker) checkState(state string) {
	at := config.Pos{File: ".al"}
	dir := state
	info, err := os.Stat(state)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		dir = c.p.Dir
	case err != nil:
		c.found(AboutFiles, config.Errorf(at, "%v", err))
		return
	case !info.IsDir():
		c.found(AboutFiles, config.Errorf(at, "is not a folder").WithFix("move it away; the gateway makes the folder"))
		return
	case info.Mode().Perm()&0o077 != 0:
		c.mendable(AboutFiles, config.Warnf(at, "others on this machine can look into it (mode %04o): prompts, output and deliveries are there", info.Mode().Perm()).
			WithFix("chmod 700 %s", state), chmod(state, 0o700))
	}
	if unix.Access(dir, unix.W_OK) != nil {
		c.found(AboutFiles, config.Errorf(at, "this user can not write to %s", dir).WithFix("run al as the user that owns the project"))
	}
	var disk unix.Statfs_t
	if unix.Statfs(dir, &disk) == nil {
		if free := uint64(disk.Bavail) * uint64(disk.Bsize); free < scarce { //nolint:unconvert // the types differ by platform
			c.found(AboutStore, config.Warnf(at, "only %d MiB are free on its disk; deliveries are refused when nothing is", free>>20).
				WithFix("make room, or lower historyMaxBytes and historyRetentionDays"))
		}
	}
}

// loose is a finding about what others can get at, which may be mended.
func (c *checker) loose(p config.Problem) {
	if c.has(p) {
		return
	}
	for _, f := range c.looseFiles(p.Pos.File) {
		if f.Path == p.Pos.File {
			c.mendable(AboutCredentials, p, chmod(f.Path, f.Want))
			return
		}
	}
	c.found(AboutCredentials, p)
}

// looseFiles lists what is loose of the credential that a path belongs to.
func (c *checker) looseFiles(path string) []config.Loose {
	rel, err := filepath.Rel(c.credentials.Dir, path)
	if err != nil {
		return nil
	}
	parts := strings.Split(filepath.ToSlash(rel), "/")
	if len(parts) < 2 {
		return nil
	}
	return c.credentials.Loose(parts[0], parts[1])
}

func chmod(path string, mode fs.FileMode) func() (string, error) {
	return func() (string, error) {
		if err := os.Chmod(path, mode); err != nil {
			return "", err
		}
		return fmt.Sprintf("chmod %o %s", mode, path), nil
	}
}

// checkGitignore keeps what the gateway makes out of a repository: it holds what
// strangers sent, and what agents answered.
func (c *checker) checkGitignore() {
	root, ok := repository(c.p.Dir)
	if !ok {
		return
	}
	for dir := c.p.Dir; ; dir = filepath.Dir(dir) {
		rel, err := filepath.Rel(dir, StateDir(c.p.Dir))
		if err == nil && ignores(filepath.Join(dir, ".gitignore"), filepath.ToSlash(rel)) {
			return
		}
		if dir == root {
			break
		}
	}
	file := filepath.Join(c.p.Dir, ".gitignore")
	c.mendable(AboutFiles, config.Warnf(config.Pos{File: ".gitignore"}, "the project is in a Git repository that does not ignore .al, which holds deliveries, prompts and output").
		WithFix("add the line /.al/"), func() (string, error) {
		if err := appendLine(file, "/.al/"); err != nil {
			return "", err
		}
		return "added /.al/ to " + file, nil
	})
}

// repository returns the top folder of the Git repository that a folder is in.
func repository(dir string) (string, bool) {
	for {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return dir, true
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", false
		}
		dir = up
	}
}

// ignores says whether a .gitignore names a path below it in a plain way.
func ignores(file, path string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	wanted := []string{path, "/" + path, ".al", "**/.al", ".*"}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimSuffix(strings.TrimSpace(lines.Text()), "/")
		if slices.Contains(wanted, line) {
			return true
		}
	}
	return false
}

func appendLine(file, line string) error {
	raw, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // it is made to be committed
	if err != nil {
		return err
	}
	if len(raw) > 0 && raw[len(raw)-1] != '\n' {
		line = "\n" + line
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}

func inAgents(file string) bool { return strings.HasPrefix(file, "agents/") }
