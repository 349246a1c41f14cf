package cli_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// console is al at a terminal, with a person in front of it.
type console struct {
	t    *testing.T
	cmd  *exec.Cmd
	tty  *os.File // the person's side
	own  *os.File // al's side, kept open to look at its settings
	mu   sync.Mutex
	more *sync.Cond
	out  strings.Builder
	over bool
}

// newConsole is one without colours.
func newConsole(t *testing.T, home string, args ...string) *console {
	t.Helper()
	return openConsole(t, []string{"HOME=" + home, "NO_COLOR=1", "AL_CREDENTIALS_DIR="}, args...)
}

func openConsole(t *testing.T, env []string, args ...string) *console {
	t.Helper()
	path, err := exec.LookPath("al")
	if err != nil {
		t.Fatal(err)
	}
	person, own, err := pty.Open()
	if errors.Is(err, pty.ErrUnsupported) {
		t.Skip("no pseudo-terminals here")
	}
	if err != nil {
		t.Fatal(err)
	}
	c := &console{t: t, cmd: exec.CommandContext(t.Context(), path, args...), tty: person, own: own}
	c.more = sync.NewCond(&c.mu)
	c.cmd.Env = append(os.Environ(), env...)
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = own, own, own
	c.cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 4096)
		for {
			n, err := person.Read(buffer)
			c.mu.Lock()
			c.out.Write(buffer[:n])
			c.over = err != nil
			c.more.Broadcast()
			c.mu.Unlock()
			if err != nil { // EIO, or EOF: nobody is on the other side any more
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		_, _ = own.Close(), person.Close()
		<-done
	})
	return c
}

// expect waits until the text was shown, and returns all that was so far.
func (c *console) expect(text string) string {
	c.t.Helper()
	late := time.AfterFunc(30*time.Second, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.over = true
		c.more.Broadcast()
	})
	defer late.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for !strings.Contains(c.out.String(), text) {
		if c.over {
			c.t.Fatalf("%q was not shown; what was:\n%s", text, c.out.String())
		}
		c.more.Wait()
	}
	return c.out.String()
}

func (c *console) write(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.tty, text); err != nil {
		c.t.Fatal(err)
	}
}

func (c *console) exitCode() int {
	c.t.Helper()
	err := c.cmd.Wait()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		c.t.Fatal(err)
	}
	return c.cmd.ProcessState.ExitCode()
}

// echo waits until the terminal shows what is typed, or does not.
func (c *console) echo(want bool) {
	c.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		settings, err := unix.IoctlGetTermios(int(c.own.Fd()), getTermios)
		if err != nil {
			c.t.Fatal(err)
		}
		if settings.Lflag&unix.ECHO != 0 == want {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("echo: want %v", want)
		}
	}
}

// A secret does not show while it is typed.
func TestSecretsDoNotShow(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	c := newConsole(t, home, "creds", "add", "github_token")
	c.expect("Token:")
	c.echo(false)
	c.write("ghp_0123456789\n")
	c.expect("stored github_token:default")
	if code := c.exitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if shown := c.expect("stored"); strings.Contains(shown, "ghp_") {
		t.Errorf("it shows:\n%s", shown)
	}
	c.echo(true)
	raw, err := os.ReadFile(filepath.Join(home, ".action-llama/credentials/github_token/default/token"))
	if err != nil || string(raw) != "ghp_0123456789\n" {
		t.Errorf("stored %q, %v", raw, err)
	}
}

// Ctrl-C at a question ends the command, stores nothing, and leaves a terminal
// that shows what is typed.
func TestInterruptedQuestion(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	c := newConsole(t, home, "creds", "add", "github_token")
	c.expect("Token:")
	c.echo(false)
	c.write("ghp_\x03")
	c.expect("interrupted; nothing was changed")
	if code := c.exitCode(); code != 1 {
		t.Errorf("exit code %d", code)
	}
	c.echo(true)
	if _, err := os.Stat(filepath.Join(home, ".action-llama")); !os.IsNotExist(err) {
		t.Errorf("something was stored: %v", err)
	}
	if !term.IsTerminal(int(c.own.Fd())) {
		t.Error("this tested no terminal")
	}
}
