//go:build e2e

package e2e

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestWritingAProvider walks docs/writing-a-provider.md as it is written, with an
// al as it will be released: it knows the version of its SDK, which comes from a
// module proxy. The proxy is a folder of this test's.
func TestWritingAProvider(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/writing-a-provider.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := tried.FindAllStringSubmatch(string(page), -1)
	if shown := strings.Count(string(page), "\n```"); shown != 2*len(blocks) {
		t.Errorf("%d blocks, of which %d say whether they are tried", shown/2, len(blocks))
	}
	withGo, inTypeScript, found := blocks, [][]string(nil), false
	for i, b := range blocks {
		if strings.Contains(b[3], "--language typescript") {
			withGo, inTypeScript, found = blocks[:i], blocks[i:], true
			break
		}
	}
	if !found {
		t.Fatal("the page has no part about TypeScript")
	}
	w := newWalk(t)
	for _, b := range withGo {
		w.block(t, b[1], b[3])
	}
	t.Run("typescript", func(t *testing.T) {
		needsNode(t)
		for _, b := range inTypeScript {
			w.block(t, b[1], b[3])
		}
	})
}

// tried is a block of the page with the mark before it: what to do, the block's
// language and its text.
var tried = regexp.MustCompile("(?s)<!-- try(.*?) -->\n```([a-z]+)\n(.*?)```")

const walkSDK = "v1.0.0"

// walk is somebody who follows the page.
type walk struct {
	dir string
	env []string
	out string // of the last command
}

func newWalk(t *testing.T) *walk {
	root, err := os.MkdirTemp("", "al-walk-") // short, since sockets live below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	goEnv := func(name string) string {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	bin, proxy := filepath.Join(root, "bin"), filepath.Join(root, "proxy")
	const stamp = "-X github.com/action-llama/gateway/host/version.SDK=" + walkSDK
	built(t, "..", []string{"CGO_ENABLED=0"}, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w "+stamp, "-o", filepath.Join(bin, "al"), "./host/cmd/al")
	publish(t, "../sdk", proxy)
	// A module cache of its own, so that nobody keeps what this test published;
	// what is not published here comes from the usual one, or where that had it.
	w := &walk{dir: root, env: append(os.Environ(),
		"HOME="+root, "NO_COLOR=1", "AL_GATEWAY_PORT=0", "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"),
		"GOWORK=off", "CGO_ENABLED=0", "GOSUMDB=off", "GOFLAGS=-modcacherw -trimpath", "GOCACHE="+goEnv("GOCACHE"), "GOMODCACHE="+filepath.Join(root, "modules"),
		"GOPROXY=file://"+proxy+",file://"+filepath.Join(goEnv("GOMODCACHE"), "cache", "download")+","+goEnv("GOPROXY"),
		"PLATFORMS="+runtime.GOOS+"/"+runtime.GOARCH, // the others take minutes, and are not run
	)}
	if config := npmConfig(); config != "" {
		w.env = append(w.env, "NPM_CONFIG_USERCONFIG="+config)
	}
	return w
}

// npmConfig is the file in which whoever runs this says where npm's packages are.
func npmConfig() string {
	out, err := exec.Command("npm", "config", "get", "userconfig").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// publish puts the SDK of this tree into a folder that is a module proxy.
func publish(t *testing.T, dir, proxy string) {
	t.Helper()
	const module = "github.com/action-llama/gateway/sdk"
	at := filepath.Join(proxy, module, "@v")
	if err := os.MkdirAll(at, 0o700); err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	archive := zip.NewWriter(&packed)
	for _, name := range tracked(t, dir) {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		file, err := archive.Create(module + "@" + walkSDK + "/" + filepath.ToSlash(name))
		if err == nil {
			_, err = file.Write(text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"list": []byte(walkSDK + "\n"), walkSDK + ".mod": mod, walkSDK + ".zip": packed.Bytes(),
		walkSDK + ".info": []byte(`{"Version":"` + walkSDK + `","Time":"2026-01-01T00:00:00Z"}`),
	} {
		if err := os.WriteFile(filepath.Join(at, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// block does what a block of the page says.
func (w *walk) block(t *testing.T, mark, text string) {
	t.Helper()
	words := strings.Fields(strings.TrimPrefix(mark, ":"))
	if len(words) == 0 {
		w.commands(t, text)
		return
	}
	switch what := words[0]; {
	case what == "until":
		w.until(t, text)
	case what == "background":
		w.background(t, strings.TrimSpace(strings.TrimPrefix(text, "$ ")))
	case what == "file" && len(words) == 2:
		w.write(t, words[1], text, os.O_CREATE|os.O_EXCL|os.O_WRONLY)
	case what == "append" && len(words) == 2:
		w.write(t, words[1], "\n"+text, os.O_APPEND|os.O_WRONLY)
	default:
		t.Fatalf("<!-- try%s -->: not understood", mark)
	}
}

func (w *walk) write(t *testing.T, name, text string, how int) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(w.dir, name), how, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
		_ = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// commands runs the commands of a console, and looks for what follows each in
// its output. "..." stands for anything.
func (w *walk) commands(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		command, is := strings.CutPrefix(line, "$ ")
		folder, moves := strings.CutPrefix(command, "cd ")
		switch {
		case !is:
			if !w.says(line) {
				t.Fatalf("it does not say %q, but:\n%s", line, w.out)
			}
		case moves:
			w.dir = filepath.Join(w.dir, folder)
		default:
			w.run(t, command)
		}
	}
}

// says looks for a line in what was printed last.
func (w *walk) says(line string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(line)), `\.\.\.`, ".*")
	return regexp.MustCompile(`(?m)^\s*` + regexp.MustCompile(` +`).ReplaceAllString(pattern, `\s+`)).MatchString(w.out)
}

// until runs one command again until it says all that follows it.
func (w *walk) until(t *testing.T, text string) {
	t.Helper()
	command, lines, _ := strings.Cut(text, "\n")
	command, is := strings.CutPrefix(command, "$ ")
	if !is || strings.Contains(lines, "$ ") {
		t.Fatalf("not one command to repeat:\n%s", text)
	}
	await(t, "it says\n"+lines, func() bool {
		w.run(t, command)
		for line := range strings.Lines(lines) {
			if !w.says(line) {
				return false
			}
		}
		return true
	}, func() string { return w.out })
}

func (w *walk) run(t *testing.T, command string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), buildPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir, cmd.Env = w.dir, w.env
	out, err := cmd.CombinedOutput()
	w.out = string(out)
	if err != nil {
		t.Fatalf("$ %s: %v\n%s", command, err, out)
	}
}

// ofProject is which project a command is about, where it says so.
var ofProject = regexp.MustCompile(`-p \S+`)

// background starts a gateway, and waits until it is there. It ends with al stop,
// or with the test.
func (w *walk) background(t *testing.T, command string) {
	t.Helper()
	var log lockedBuffer
	cmd := exec.Command("sh", "-c", "exec "+command)
	cmd.Dir, cmd.Env = w.dir, slices.Clone(w.env)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() { _ = cmd.Wait(); close(gone) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-gone
	})
	await(t, fmt.Sprintf("%s answers", command), func() bool {
		stat := exec.Command("sh", "-c", "al stat --json "+ofProject.FindString(command))
		stat.Dir, stat.Env = w.dir, w.env
		out, _ := stat.CombinedOutput()
		return strings.Contains(string(out), `"running": true`)
	}, log.String)
}
