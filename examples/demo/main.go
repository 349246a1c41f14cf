// Command demo shows the gateway at its main job on this machine: it makes a
// project, starts it, sends deliveries as GitHub and then the other vendors would,
// and shows what each was answered and what the agents were told. It uses the built binaries as a person
// would and leaves nothing behind. It is not a test suite, but it fails when an
// answer is not the one it promises.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	bin := flag.String("bin", "bin", "folder with al and plugins/")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()

	s := newScreen(os.Stdout)
	if err := demo(ctx, s, *bin); err != nil {
		fmt.Fprintf(os.Stderr, "\n%s %v\n", newScreen(os.Stderr).paint(red, "demo failed:"), err)
		os.Exit(1)
	}
}

func demo(ctx context.Context, s screen, bin string) (err error) {
	al, err := filepath.Abs(filepath.Join(bin, "al"))
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "al-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	credentials := filepath.Join(dir, "credentials")
	g := &gateway{
		al:      al,
		project: filepath.Join(dir, "my-agents"),
		// Nothing of the person's own project or credentials is touched.
		env: append(os.Environ(), "AL_CREDENTIALS_DIR="+credentials, "NO_COLOR=1"),
	}

	s.heading("1. A project: al new my-agents")
	if _, err := g.run(ctx, "new", g.project, "--provider", "github"); err != nil {
		return err
	}
	for _, name := range []string{"config.toml", "agents/hello/config.toml", "agents/hello/SKILL.md"} {
		if err := show(s, g.project, name); err != nil {
			return err
		}
	}
	rest, err := configure(g.project, credentials, filepath.Join(bin, "plugins"))
	if err != nil {
		return err
	}
	secret, err := os.ReadFile(filepath.Join(credentials, "github_webhook_secret", "my-agents", "secret"))
	if err != nil {
		return err
	}

	s.heading("2. The gateway: al start")
	began := time.Now()
	defer func() { err = errors.Join(err, g.stop()) }()
	if err := g.start(ctx); err != nil {
		return err
	}
	s.line("ready after %d ms on %s, each provider in a process of its own", time.Since(began).Milliseconds(), s.paint(cyan, g.url))

	s.heading("3. GitHub calls: POST /webhooks/github")
	for _, d := range story {
		code, answer, err := d.send(ctx, g.url+"/webhooks/github", strings.TrimSuffix(string(secret), "\n"))
		s.line("%s  %-7s %s", s.status(code), d.event, s.paint(bold, d.what))
		s.line("     %s", s.paint(dim, answer))
		if err != nil {
			return err
		}
	}

	s.heading("4. The agent, started once")
	const agent = "hello"
	run, err := g.waitRun(ctx, agent, "")
	if err != nil {
		return err
	}
	output, err := os.ReadFile(filepath.Join(g.project, ".al", "runs", run, "output.log"))
	if err != nil {
		return err
	}
	s.line("%s ran; its harness only prints what it was told:", s.paint(cyan, agent))
	s.block(string(output))

	s.heading("5. How it stands: al stat")
	stat, err := g.run(ctx, "stat", "-p", g.project)
	if err != nil {
		return err
	}
	s.block(stat)

	s.heading("6. The other vendors")
	if err := rest.show(ctx, s, g); err != nil {
		return err
	}

	if err := g.stop(); err != nil {
		return err
	}
	g.cmd = nil
	s.heading("Done. Your own: docs/getting-started.md, or bin/al new my-agents.")
	return nil
}

func show(s screen, project, name string) error {
	text, err := os.ReadFile(filepath.Join(project, name))
	if err != nil {
		return err
	}
	s.line("%s", s.paint(cyan, name))
	s.block(string(text))
	return nil
}
