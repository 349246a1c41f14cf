//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// imageUser is the user of deploy/Dockerfile and of deploy/kubernetes.
const imageUser = 65532

// image lays out what deploy/Dockerfile makes of the built binaries, as its
// last stage says, and returns the command, environment and folder that it
// starts with. No container engine is needed for that: an image is a folder.
func image(t *testing.T) (root string, command, env []string, dir string) {
	t.Helper()
	text, err := os.ReadFile("../deploy/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, last, found := strings.Cut(string(text), "\nFROM scratch\n")
	if !found {
		t.Fatal("the last stage is not made from scratch")
	}
	// Not below the folder of the user who runs the test: another has to get there.
	root, err = os.MkdirTemp("/var/tmp", "al-image-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	last = regexp.MustCompile(`(?m)\\\n\s*`).ReplaceAllString(last, "")
	list := func(words string) (out []string) {
		if err := json.Unmarshal([]byte(words), &out); err != nil {
			t.Fatalf("%s: %v", words, err)
		}
		return out
	}
	for line := range strings.SplitSeq(last, "\n") {
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "COPY":
			owned := strings.Contains(rest, "--chown=65532:65532")
			names := strings.Fields(regexp.MustCompile(`--\S+ `).ReplaceAllString(rest, ""))
			lay(t, root, names[0], names[1], owned)
		case "ENV":
			env = append(env, strings.Fields(rest)...)
		case "WORKDIR":
			dir = rest
		case "ENTRYPOINT", "CMD":
			command = append(command, list(rest)...)
		}
	}
	return root, command, env, dir
}

// lay puts one COPY into the image.
func lay(t *testing.T, root, from, to string, owned bool) {
	t.Helper()
	target := filepath.Join(root, to)
	fail := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	fail(os.MkdirAll(filepath.Dir(target), 0o755))
	switch {
	case strings.HasPrefix(from, "/src/bin/"):
		source := filepath.Join("..", strings.TrimPrefix(from, "/src/"))
		fail(exec.Command("cp", "-r", source, target).Run())
		fail(exec.Command("chmod", "-R", "u=rwX,go=rX", target).Run())
	case strings.HasSuffix(to, ".crt"):
		fail(os.WriteFile(target, nil, 0o644)) // nothing here calls anybody
	case strings.HasSuffix(to, "/passwd"):
		fail(os.WriteFile(target, []byte("al:x:65532:65532::/project:/sbin/nologin\n"), 0o644))
	default:
		fail(os.MkdirAll(target, 0o755))
		if to == "/project" {
			fail(os.MkdirAll(filepath.Join(target, ".al"), 0o700))
			if owned {
				fail(os.Chown(filepath.Join(target, ".al"), imageUser, imageUser))
			}
		}
	}
	if owned && to != "/project" {
		fail(os.Chown(target, imageUser, imageUser))
	}
}

// What deploy/Dockerfile makes works as deploy/kubernetes runs it: a user
// without rights, nothing writable but .al and /tmp, no shell, and credentials
// as a volume of secrets has them.
func TestTheImageWorksWithoutRights(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may run a program as another user in another root folder")
	}
	root, command, env, dir := image(t)
	fail := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	proc := filepath.Join(root, "proc")
	fail(os.Mkdir(proc, 0o755))
	fail(os.MkdirAll(filepath.Join(root, "dev"), 0o755))
	if err := syscall.Mount("proc", proc, "proc", 0, ""); errors.Is(err, syscall.EPERM) {
		t.Skip("this machine does not let anybody mount /proc")
	} else {
		fail(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(proc, syscall.MNT_DETACH) })
	null := filepath.Join(root, "dev", "null")
	if err := syscall.Mknod(null, syscall.S_IFCHR|0o666, 1<<8|3); errors.Is(err, syscall.EPERM) {
		t.Skip("this machine does not let anybody make /dev/null")
	} else {
		fail(err)
	}
	fail(os.Chmod(null, 0o666))

	// The project comes with the image, and is not the user's to change.
	for name, text := range map[string]string{
		"config.toml":            "[runner]\ncommand = [\"/usr/local/bin/al\", \"version\"]\n[webhooks.main]\ntype = \"github\"\ncredential = \"default\"\n",
		"agents/dev/config.toml": "[[webhooks]]\nsource = \"main\"\nevents = [\"issues\"]\n",
		"agents/dev/SKILL.md":    "Look at it.\n",
	} {
		file := filepath.Join(root, "project", name)
		fail(os.MkdirAll(filepath.Dir(file), 0o755))
		fail(os.WriteFile(file, []byte(text), 0o644))
	}
	mountSecret(t, filepath.Join(root, "credentials"), "gateway_api_key/default/key", "the key of the API, for tests")
	mountSecret(t, filepath.Join(root, "credentials"), "github_webhook_secret/default/secret", secret)

	g := &gateway{project: &project{t: t, dir: filepath.Join(root, dir)}, log: &lockedBuffer{}, exited: make(chan struct{})}
	g.cmd = &exec.Cmd{
		Path: command[0], Args: command, Dir: dir, Env: append(env, "AL_GATEWAY_PORT=0"), Stdout: g.log, Stderr: g.log,
		WaitDelay: 5 * time.Second,
		SysProcAttr: &syscall.SysProcAttr{
			Chroot:     root,
			Credential: &syscall.Credential{Uid: imageUser, Gid: imageUser},
		},
	}
	fail(g.cmd.Start())
	go func() {
		_ = g.cmd.Wait()
		close(g.exited)
	}()
	t.Cleanup(g.kill)
	g.awaitReady()

	if a := g.mustSend(issue("1")); a.code != http.StatusOK || a.Queued != 1 {
		t.Errorf("delivery: %d %s\n%s", a.code, a.text, g.log)
	}
	g.await("the run is done", func() bool {
		return strings.Contains(g.body("/metrics"), `al_runs_total{agent="dev",outcome="done",trigger="webhook"} 1`)
	})
	if strings.Contains(g.log.String(), "can get at this secret") {
		t.Errorf("a secret that can not be mounted in any other way is complained about\n%s", g.log)
	}
	g.stop()
}

// mountSecret writes a secret as a volume of Kubernetes has it: links to a
// folder that is replaced as a whole, readable for the group.
func mountSecret(t *testing.T, root, path, value string) {
	t.Helper()
	data := filepath.Join(root, "..2026_11_26")
	steps := []error{
		os.MkdirAll(filepath.Join(data, filepath.Dir(path)), 0o755),
		os.WriteFile(filepath.Join(data, path), []byte(value), 0o440),
		os.Chown(filepath.Join(data, path), 0, imageUser),
	}
	if _, err := os.Lstat(filepath.Join(root, "..data")); err != nil {
		steps = append(steps, os.Symlink("..2026_11_26", filepath.Join(root, "..data")))
	}
	first, _, _ := strings.Cut(path, "/")
	steps = append(steps, os.Symlink(filepath.Join("..data", first), filepath.Join(root, first)))
	if err := errors.Join(steps...); err != nil {
		t.Fatal(err)
	}
}
