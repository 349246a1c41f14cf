package app

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/pluginhost"
	"github.com/action-llama/gateway/sdk"
)

// Topic is what a finding is about. The order of the constants is the order in
// which a person would work through them.
type Topic string

const (
	AboutConfig      Topic = "configuration"
	AboutTriggers    Topic = "triggers"
	AboutProviders   Topic = "providers"
	AboutCredentials Topic = "credentials"
	AboutHarness     Topic = "harness"
	AboutGateway     Topic = "gateway"
	AboutStore       Topic = "store"
	AboutFiles       Topic = "files"
)

// Topics lists them in their order.
func Topics() []Topic {
	return []Topic{AboutConfig, AboutTriggers, AboutProviders, AboutCredentials, AboutHarness, AboutGateway, AboutStore, AboutFiles}
}

// Finding is something that a check has to tell.
type Finding struct {
	Topic   Topic
	Problem config.Problem
	// Mend does what the fix says and returns what it did, where a program may
	// do that unasked: it takes nothing away from anybody but strangers.
	Mend func() (string, error)
}

// Checked is what `al doctor` found by trying everything that starting needs.
type Checked struct {
	Findings  []Finding
	Providers []CheckedProvider
	Harnesses []CheckedHarness
	Schedules []CheckedSchedule
	Gateway   CheckedGateway
}

// checker holds what the checks share. Each adds what it finds.
type checker struct {
	Checked
	p           *config.Project
	credentials config.Credentials
	log         hclog.Logger
}

// Check tries what New would do, without taking the lock or any work, so that it
// may run beside the gateway; of one that runs it asks whether it turns strangers
// away. It reports everything it finds.
func Check(ctx context.Context, p *config.Project, credentials config.Credentials, log hclog.Logger) (Checked, error) {
	c := &checker{p: p, credentials: credentials, log: log}
	descriptors, err := c.checkProviders(ctx)
	if err != nil {
		return c.Checked, err
	}
	c.checkPlugins()
	c.checkExposure()
	c.checkAgents(ctx)
	c.checkGateway(ctx, descriptors)
	c.checkStore(ctx)
	c.checkFiles()
	return c.Checked, nil
}

func (c *checker) found(topic Topic, problems ...config.Problem) {
	for _, p := range problems {
		c.Findings = append(c.Findings, Finding{Topic: topic, Problem: p})
	}
}

func (c *checker) mendable(topic Topic, p config.Problem, mend func() (string, error)) {
	c.Findings = append(c.Findings, Finding{Topic: topic, Problem: p, Mend: mend})
}

// has says whether a problem was found already. Agents that share a mistake of
// the project make one finding.
func (c *checker) has(p config.Problem) bool {
	return slices.ContainsFunc(c.Findings, func(f Finding) bool { return f.Problem == p })
}

// CheckedProvider is a provider that the project needs.
type CheckedProvider struct {
	Type     string
	Version  string
	Protocol int
	Path     string
	SHA256   string // of the file, in hex
	OK       bool   // it started, and refuses what nobody signed
}

// checkPatience bounds the starting of all providers, which happens at once.
const checkPatience = 20 * time.Second

// checkProviders starts the providers, holds the configuration against what they
// say, and has each refuse a delivery that nobody signed.
func (c *checker) checkProviders(ctx context.Context) (map[string]sdk.Descriptor, error) {
	dirs, err := ProviderDirs(c.p)
	if err != nil {
		return nil, err
	}
	host, stop, err := startForCheck(ctx, c.p, c.log)
	if err != nil {
		return nil, err
	}

	w := wire(c.p, c.credentials, host.Get)
	c.found(AboutConfig, w.settings...)
	for _, p := range w.problems {
		c.wired(p)
	}
	descriptors := map[string]sdk.Descriptor{}
	for _, status := range host.Status() {
		c.checkProvider(ctx, dirs, status, w)
		if route := w.routes.Types[status.Type]; route != nil && route.Unavailable == nil {
			for _, source := range route.Sources {
				descriptors[source.Name] = route.Descriptor.With(source.Settings)
			}
		}
	}
	return descriptors, stop()
}

// startForCheck starts the providers of a project for somebody who asks them and
// takes no deliveries.
func startForCheck(ctx context.Context, p *config.Project, log hclog.Logger) (processes, func() error, error) {
	folders, err := FoldersOf(p)
	if err != nil {
		return processes{}, nil, err
	}
	// Not in the project's state folder: a check leaves nothing there.
	runtime, err := os.MkdirTemp("", "al-check-")
	if err != nil {
		return processes{}, nil, err
	}
	host := processes{pluginhost.New(pluginhost.Options{
		Dirs: folders.Dirs, Approve: folders.approve, RuntimeDir: runtime, Log: log,
		StartTimeout: p.Plugins.StartTimeout, CallTimeout: p.Plugins.CallTimeout, MaxMemory: maxMemory(p.Plugins), Env: p.Plugins.Env,
	})}
	starting, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	_ = host.Start(starting, typesOf(p)) // each failure is told with the source that needs it
	return host, func() error {
		return errors.Join(host.Stop(ctx), os.RemoveAll(runtime))
	}, nil
}

// wired files a problem of the wiring under what it is about, which its place
// tells: triggers are in agents, and everything else of it concerns credentials.
func (c *checker) wired(p config.Problem) {
	switch {
	case inAgents(p.Pos.File):
		c.found(AboutTriggers, p)
	case p.Pos.Line == 0: // a file of a credential
		c.loose(p)
	default:
		c.found(AboutCredentials, p)
	}
}

func (c *checker) checkProvider(ctx context.Context, dirs []string, status pluginhost.Status, w wiring) {
	p := CheckedProvider{Type: status.Type, Version: status.Version, Path: status.Path, Protocol: status.Protocol, OK: status.State == pluginhost.Up}
	i := slices.IndexFunc(c.p.Sources, func(s config.Source) bool { return s.Type == status.Type })
	at := c.p.Sources[i].TypePos
	if err := w.down[status.Type]; err != nil {
		p.OK = false
		for _, source := range c.p.Sources {
			if source.Type == status.Type {
				c.unusable(config.Errorf(source.TypePos, "webhooks.%s: %v", source.Name, err), err)
			}
		}
	}
	if binary, err := pluginhost.Lookup(dirs, status.Type); err == nil {
		p.Path = binary.Path
		p.SHA256, err = checksum(binary.Path)
		if err != nil {
			c.found(AboutProviders, config.Errorf(at, "provider %s: %v", status.Type, err))
		}
		for _, path := range binary.Shadowed {
			c.found(AboutProviders, config.Notef(at, "provider %s: %s is not used, since %s comes first", status.Type, path, binary.Path).
				WithFix("remove the one that is not meant"))
		}
	}
	if p.OK && p.Protocol < sdk.ProtocolVersion {
		c.found(AboutProviders, oldProtocol(at, p.Type, p.Protocol, sdk.ProtocolVersion))
	}
	if p.OK {
		if err := selfTest(ctx, w.routes.Types[status.Type]); err != nil {
			p.OK = false
			c.found(AboutProviders, config.Errorf(at, "provider %s: %v", status.Type, err))
		}
	}
	c.Providers = append(c.Providers, p)
}

// unusable is a finding about a provider that does not run. What others can
// change may be mended.
func (c *checker) unusable(p config.Problem, err error) {
	var loose *pluginhost.LooseError
	if !errors.As(err, &loose) || loose.Mode == 0 {
		c.found(AboutProviders, p)
		return
	}
	c.mendable(AboutProviders, p, chmod(loose.Path, loose.Mode&^0o022))
}

// checkExposure warns of what is worse than a source that takes anything: one
// that anybody can reach.
func (c *checker) checkExposure() {
	if isLoopback(c.p.Gateway.Host) {
		return
	}
	for _, source := range c.p.Sources {
		if len(source.Credentials) == 0 {
			c.found(AboutGateway, config.Warnf(source.Pos, "webhooks.%s takes unsigned requests, and gateway.host %q is reachable from other machines: anybody there can start its agents",
				source.Name, c.p.Gateway.Host).WithFix(`give it a credential, or write host = "127.0.0.1"`))
		}
	}
}
