package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
)

// where is what the words of a call say about the gateway it means: the one of a
// project on this machine, or the one at a URL.
type where struct {
	project string // -p
	url     string // --url, or AL_URL
}

// gatewayFlags adds -p and --url. The flags of a call go before AL_URL, which is
// looked at when the call has neither.
func gatewayFlags(cmd *cobra.Command, w *where) {
	projectFlag(cmd, &w.project)
	cmd.Flags().StringVar(&w.url, "url", "", "a gateway elsewhere, instead of a project's; AL_API_KEY holds its key")
	cmd.MarkFlagsMutuallyExclusive("project", "url")
	_ = cmd.RegisterFlagCompletionFunc("url", cobra.NoFileCompletions)
}

// find resolves where, for the command that has its flags. It asks nobody yet.
func (w where) find(cmd *cobra.Command, s Streams) (gateway, error) {
	address := w.url
	if address == "" && !cmd.Flags().Changed("project") {
		address = s.Getenv("AL_URL")
	}
	if address != "" {
		u, err := gatewayURL(address)
		if err != nil {
			return gateway{}, &usageError{err: err, usage: cmd.UsageString()}
		}
		client, err := remoteClient(s, u)
		return gateway{remote: client}, err
	}
	dir, err := filepath.Abs(w.project)
	if err != nil {
		return gateway{}, err
	}
	return gateway{dir: dir, getenv: s.Getenv}, nil
}

// gateway is the one that a call means, running or not.
type gateway struct {
	remote *api.Client // nil for one of this machine
	dir    string      // of its project, when it is of this machine
	getenv func(string) string
}

// local says that the gateway's files are on this machine.
func (g gateway) local() bool { return g.remote == nil }

// client returns a client of the running gateway, or an app.ErrNotRunning. The
// configuration is not looked at: whoever stops a run wants that to work while
// somebody mends config.toml.
func (g gateway) client() (*api.Client, error) {
	if g.remote != nil {
		return g.remote, nil
	}
	instance, err := app.Find(g.dir)
	if err != nil {
		return nil, err
	}
	credentials, err := config.DefaultCredentials()
	if err != nil {
		return nil, err
	}
	key, err := app.APIKey(credentials)
	if err != nil {
		return nil, err
	}
	if key == "" {
		key = g.getenv("AL_API_KEY")
	}
	return &api.Client{URL: instance.URL, Key: key}, nil
}

// running is client for commands that can do nothing without a gateway.
func (g gateway) running() (*api.Client, error) {
	client, err := g.client()
	switch {
	case errors.Is(err, app.ErrStarting):
		return nil, fmt.Errorf("%w; try again in a moment", err)
	case !errors.Is(err, app.ErrNotRunning):
		return client, err
	}
	if err := g.checkProject(); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%w (%s); start it with al start", err, g.dir)
}

// history is what can be told without a gateway that runs.
type history interface {
	api.Runs
	api.Statistics
	Job(ctx context.Context, id int64) (api.JobStatus, error)
}

// history reads the files of a gateway of this machine, whether it runs or not,
// and asks one that is elsewhere. The function ends the reading.
func (g gateway) history(ctx context.Context) (history, func(), error) {
	if g.remote != nil {
		return g.remote, func() {}, nil
	}
	if err := g.checkProject(); err != nil {
		return nil, nil, err
	}
	// Whatever else is wrong with the project: where its store is, is known.
	p, _ := config.Load(g.dir, config.Options{})
	h, done, err := app.OpenHistory(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	return h, func() { _ = done() }, nil // it only read
}

func (g gateway) checkProject() error {
	if isProject(g.dir) {
		return nil
	}
	return fmt.Errorf("there is no project in %s; name its folder with -p DIR, or a gateway elsewhere with --url", g.dir)
}

func isProject(dir string) bool {
	for _, name := range []string{"config.toml", "agents"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// gatewayURL reads the address of a gateway that a person named. One that is no
// URL is not repeated: it may hold a password.
func gatewayURL(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return nil, errors.New("that is no URL of a gateway; it looks like https://gateway.example.com")
	case u.User != nil:
		return nil, errors.New("the URL of a gateway holds no password; put the key into AL_API_KEY")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("the URL of a gateway is only its address; leave out what follows ? or #")
	}
	return u, nil
}

func remoteClient(s Streams, u *url.URL) (*api.Client, error) {
	key := s.Getenv("AL_API_KEY")
	if key == "" {
		return nil, fmt.Errorf("the key of %s is missing; put it into AL_API_KEY (on its machine it is in ~/.action-llama/credentials/gateway_api_key/default/key)", u)
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		fmt.Fprintf(s.Err, "%s the key goes to %s unencrypted; https would hide it\n", s.errPaint(yellow, "warning:"), u.Host)
	}
	return &api.Client{URL: strings.TrimSuffix(u.String(), "/"), Key: key}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
