package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/pluginhost"
	"github.com/action-llama/gateway/host/store/sqlite"
)

// Checked is what `al doctor` found by trying everything that starting needs.
type Checked struct {
	Problems  config.Problems
	Providers []pluginhost.Status
}

// Check tries what New would do, without taking the port, the lock or any work,
// so that it may run beside the gateway. It reports everything it finds.
func Check(ctx context.Context, p *config.Project, credentials config.Credentials, log hclog.Logger) (Checked, error) {
	var c Checked
	providers, stop, err := startForCheck(ctx, p, log)
	if err != nil {
		return c, err
	}
	w := wire(p, credentials, providers.Get)
	c.Providers = providers.Status()
	if err := stop(); err != nil {
		return c, err
	}

	c.Problems = append(c.Problems, w.problems...)
	for _, source := range p.Sources {
		if err := w.down[source.Type]; err != nil {
			c.Problems = append(c.Problems, config.Errorf(source.TypePos, "webhooks.%s: %v", source.Name, err))
		}
	}
	for _, agent := range p.Agents {
		c.Problems = append(c.Problems, checkAgent(p, agent, credentials)...)
	}
	if problem, ok := checkStore(p); !ok {
		c.Problems = append(c.Problems, problem)
	}
	return c, nil
}

// checkPatience bounds the starting of all providers, which happens at once.
const checkPatience = 20 * time.Second

func startForCheck(ctx context.Context, p *config.Project, log hclog.Logger) (processes, func() error, error) {
	dirs, err := ProviderDirs(p)
	if err != nil {
		return processes{}, nil, err
	}
	// Not in the project's state folder: a check leaves nothing there.
	runtime, err := os.MkdirTemp("", "al-check-")
	if err != nil {
		return processes{}, nil, err
	}
	host := processes{pluginhost.New(pluginhost.Options{
		Dirs: dirs, RuntimeDir: runtime, Log: log,
		StartTimeout: p.Plugins.StartTimeout, CallTimeout: p.Plugins.CallTimeout, Env: p.Plugins.Env,
	})}
	starting, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	_ = host.Start(starting, typesOf(p)) // each failure is told with the source that needs it
	return host, func() error {
		return errors.Join(host.Stop(ctx), os.RemoveAll(runtime))
	}, nil
}

func checkAgent(p *config.Project, agent config.Agent, credentials config.Credentials) config.Problems {
	var problems config.Problems
	at := agent.Runner.Pos
	if at == (config.Pos{}) {
		at = agent.Pos
	}
	command, err := commandOf(agent.Runner)
	if err != nil {
		problems = append(problems, config.Errorf(at, "%v", err))
	} else if err := checkCommand(p.Dir, command[0]); err != nil {
		problems = append(problems, config.Errorf(at, "[runner]: %v", err).
			WithFix("install it, or set [runner] command or harness in this agent's or the project's config.toml"))
	}
	for _, ref := range agent.Credentials {
		if _, err := credentials.ReadAll(ref.Type, ref.Instance); err != nil {
			problems = append(problems, config.Errorf(ref.Pos, "%v", err))
			continue
		}
		problems = append(problems, credentials.Check(ref.Type, ref.Instance)...)
	}
	return problems
}

// checkCommand finds a harness as a run would.
func checkCommand(dir, name string) error {
	if strings.HasPrefix(name, "{al}") {
		return nil
	}
	if strings.ContainsRune(name, filepath.Separator) && !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	if _, err := exec.LookPath(name); err != nil {
		return fmt.Errorf("the harness can not be run: %w", err)
	}
	return nil
}

func checkStore(p *config.Project) (config.Problem, bool) {
	file := DatabaseFile(p.Dir)
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		return config.Problem{}, true // the first start makes it
	}
	s, err := sqlite.OpenReadOnly(file)
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		return config.Errorf(config.Pos{File: filepath.ToSlash(filepath.Join(".al", filepath.Base(file)))}, "%v", err), false
	}
	return config.Problem{}, true
}
