package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"

	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/pluginhost"
	"github.com/action-llama/gateway/plugins/github/provider"
	"github.com/action-llama/gateway/sdk"
)

const (
	// profileEnv names a file for a CPU profile of the gateway in this program.
	profileEnv = "AL_BENCH_CPUPROFILE"
	// apartEnv has it use a provider process after all: what al start does, in
	// a program that can be profiled.
	apartEnv = "AL_BENCH_APART"
)

// within are providers without a process.
type within struct{ provider sdk.Provider }

func (w within) Start(context.Context, []string) error { return nil }
func (w within) Get(string) (sdk.Provider, error)      { return w.provider, nil }
func (w within) Status() []pluginhost.Status           { return nil }
func (w within) Remove([]string)                       {}
func (w within) Stop(context.Context) error            { return nil }

// runInProcess is `al start` with the provider in the same process: everything
// else is the same code.
func runInProcess(dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	credentials, err := config.DefaultCredentials()
	if err != nil {
		return err
	}
	p, problems := config.Load(dir, config.Options{Overrides: map[string]string{"gateway.port": "0"}})
	if err := problems.Err(); err != nil {
		return err
	}
	o := app.Options{
		Project: p, Credentials: credentials,
		Log: hclog.New(&hclog.LoggerOptions{Level: hclog.Error, Output: os.Stderr}),
	}
	switch {
	case os.Getenv(batchedEnv) != "":
		remote, err := startBatched(ctx, dir)
		if err != nil {
			return fmt.Errorf("provider not started: %w", err)
		}
		defer plugin.CleanupClients()
		o.Providers = within{remote}
	case os.Getenv(apartEnv) == "":
		o.Providers = within{provider.New("bench")}
	}
	gateway, err := app.New(ctx, o)
	if err != nil {
		return fmt.Errorf("not started: %w", err)
	}
	if file := os.Getenv(profileEnv); file != "" {
		f, err := os.Create(file)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	return gateway.Run(ctx)
}
