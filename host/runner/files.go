package runner

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// files of one run.
type files struct {
	dir     string
	prompt  string
	shown   string // the prompt for people
	context string
	output  string
	// credentials is the folder of the agent's credentials; empty when it has
	// none.
	credentials string
}

// runID is what may name a folder.
var runID = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,127}$`)

// prepare writes what the harness will read. Nothing is synced to the disk: a
// run that loses its host starts over with files of its own.
func (r *Runner) prepare(spec Spec) (files, error) {
	if !runID.MatchString(spec.RunID) {
		return files{}, fmt.Errorf("run id %q can not name a folder", spec.RunID)
	}
	dir := filepath.Join(r.opts.Dir, spec.RunID)
	f := files{
		dir:     dir,
		prompt:  filepath.Join(dir, "prompt.md"),
		shown:   ShownPromptFile(r.opts.Dir, spec.RunID),
		context: filepath.Join(dir, "context.json"),
		output:  OutputFile(r.opts.Dir, spec.RunID),
	}
	text, err := prompt(spec)
	if err != nil {
		return f, fmt.Errorf("write the prompt: %w", err)
	}
	context, err := contextJSON(spec)
	if err != nil {
		return f, fmt.Errorf("write the context: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return f, fmt.Errorf("make the folder of the run: %w", err)
	}
	if err := os.WriteFile(f.prompt, []byte(text), 0o600); err != nil {
		return f, fmt.Errorf("write the prompt: %w", err)
	}
	if err := writeMasked(f.shown, text, hiddenOf(spec)); err != nil {
		return f, fmt.Errorf("write the prompt for people: %w", err)
	}
	if err := os.WriteFile(f.context, context, 0o600); err != nil {
		return f, fmt.Errorf("write the context: %w", err)
	}
	if len(spec.Files) > 0 {
		f.credentials = CredentialsDir(r.opts.Dir, spec.RunID)
		if err := writeCredentials(f.credentials, spec.Files); err != nil {
			return f, fmt.Errorf("write the credentials: %w", err)
		}
	}
	return f, nil
}

// writeMasked writes a text without the secrets in it.
func writeMasked(file, text string, secrets []string) error {
	var out bytes.Buffer
	m := newMasker(&out, secrets)
	_, err := io.WriteString(m, text)
	if err = errors.Join(err, m.Close()); err != nil {
		return err
	}
	return os.WriteFile(file, out.Bytes(), 0o600)
}

// writeCredentials writes files that nobody but the run may read.
func writeCredentials(dir string, files map[string]string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir) // no name leads out of it
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for name, text := range files {
		if err := root.MkdirAll(filepath.Dir(filepath.FromSlash(name)), 0o700); err != nil {
			return err
		}
		if err := root.WriteFile(filepath.FromSlash(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (f files) removeCredentials() error {
	if f.credentials == "" {
		return nil
	}
	return os.RemoveAll(f.credentials)
}

// RemoveLeftoverCredentials removes what runs of a killed host left of their
// credentials. A host calls it when it starts, with the folder of its runs,
// before it starts any, and names those that are under way in another host.
func RemoveLeftoverCredentials(dir string, underWay []string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for leftover credentials: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if e.IsDir() && !slices.Contains(underWay, e.Name()) {
			errs = append(errs, os.RemoveAll(CredentialsDir(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}

// RemoveCredentials removes those of runs whose host is gone.
func RemoveCredentials(dir string, runs []string) error {
	var errs []error
	for _, run := range runs {
		if runID.MatchString(run) {
			errs = append(errs, os.RemoveAll(CredentialsDir(dir, run)))
		}
	}
	return errors.Join(errs...)
}

// errNotFound: there is no such command.
var errNotFound = errors.New("not found")

// command is the harness, ready to start but for its pipes. What is wrong with
// it is found here rather than by the kernel, which says less.
func (r *Runner) command(spec Spec, f files) (*exec.Cmd, error) {
	if len(spec.Command) == 0 || spec.Command[0] == "" {
		return nil, errors.New("no harness: set command or harness under [runner] in config.toml")
	}
	if info, err := os.Stat(spec.WorkDir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("working folder %s is missing or not a folder; start al with -p DIR on the project", spec.WorkDir)
	}
	env, err := environ(spec, f)
	if err != nil {
		return nil, err
	}
	places := strings.NewReplacer("{al}", r.opts.Executable, "{prompt}", f.prompt, "{context}", f.context)
	args := make([]string, len(spec.Command))
	for i, a := range spec.Command {
		args[i] = places.Replace(a)
	}
	path := args[0]
	if !strings.Contains(path, "/") {
		found, err := exec.LookPath(path)
		if err != nil {
			return nil, commandError(path, err)
		}
		path = found
	} else {
		at := path
		if !filepath.IsAbs(at) {
			at = filepath.Join(spec.WorkDir, at)
		}
		if _, err := exec.LookPath(at); err != nil {
			return nil, commandError(path, err)
		}
	}
	return &exec.Cmd{Path: path, Args: args, Env: env, Dir: spec.WorkDir}, nil
}

func commandError(name string, err error) error {
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s %w; install it, or set command under [runner] in config.toml", name, errNotFound)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s is not executable; chmod +x it, or set command under [runner] in config.toml", name)
	default:
		return fmt.Errorf("%s can not be run: %w; set command under [runner] in config.toml", name, err)
	}
}

// startError explains what the kernel says of a command that is there.
func startError(cmd *exec.Cmd, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: interpreter %w; look at its first line and install what that names", cmd.Args[0], errNotFound)
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("%s is no program for this machine; a script needs #!/bin/sh as its first line", cmd.Args[0])
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s is not executable; chmod +x it, or set command under [runner] in config.toml", cmd.Path)
	default:
		return fmt.Errorf("start %s: %w", cmd.Args[0], err)
	}
}
