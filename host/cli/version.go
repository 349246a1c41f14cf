package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/pluginhost"
	"github.com/action-llama/gateway/host/version"
	"github.com/action-llama/gateway/sdk"
)

type versionOptions struct {
	streams Streams
	project string
	json    bool
}

func newVersion(s Streams, run func(context.Context, versionOptions) error) *cobra.Command {
	o := versionOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show the versions of al, its protocol and the providers",
		Long: `Show the version of al, of the provider protocol it speaks, and of each provider
that is installed: for a project, if there is one here, or for any.`,
		Example: "  al version\n  al version -p my-agents --json",
		Args:    words(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), o) },
	}
	projectFlag(cmd, &o.project)
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

// versionReport is the JSON of al version. Fields are added, never renamed.
type versionReport struct {
	Version   string            `json:"version"`
	Protocol  int               `json:"protocol"`
	Go        string            `json:"go"`
	OS        string            `json:"os"`
	Arch      string            `json:"arch"`
	Providers []versionProvider `json:"providers"`
}

type versionProvider struct {
	Type    string `json:"type"`
	Version string `json:"version,omitempty"`
	Path    string `json:"path,omitempty"`
	Error   string `json:"error,omitempty"` // why it does not start
}

func runVersion(ctx context.Context, o versionOptions) error {
	r := versionReport{
		Version: version.Version, Protocol: sdk.ProtocolVersion,
		Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, Providers: []versionProvider{},
	}
	folders, err := providerFolders(o.project)
	if err != nil {
		return err
	}
	line := startProgress(o.streams, "asking the installed providers")
	list, err := app.Installed(ctx, folders, hclog.NewNullLogger())
	line.stop()
	if err != nil {
		return err
	}
	for _, st := range list {
		p := versionProvider{Type: st.Type, Version: st.Version, Path: st.Path}
		if st.State != pluginhost.Up {
			p.Error = st.LastError
		}
		r.Providers = append(r.Providers, p)
	}
	if o.json {
		return writeJSON(o.streams, r)
	}
	showVersion(o.streams, r)
	return nil
}

// providerFolders are the folders of a project's providers, or of any project's
// where there is none.
func providerFolders(project string) (app.ProviderFolders, error) {
	if _, err := os.Stat(filepath.Join(project, "config.toml")); errors.Is(err, fs.ErrNotExist) {
		return app.FoldersOf(nil)
	}
	p, _ := config.Load(project, config.Options{}) // what is wrong with it is not asked here
	return app.FoldersOf(p)
}

func showVersion(s Streams, r versionReport) {
	fmt.Fprintf(s.Out, "al %s (provider protocol %d, %s, %s/%s)\n", r.Version, r.Protocol, r.Go, r.OS, r.Arch)
	for _, p := range r.Providers {
		if p.Error != "" {
			fmt.Fprintf(s.Out, "provider %s %s: %s\n", p.Type, s.paint(red, "does not start"), p.Error)
			continue
		}
		fmt.Fprintf(s.Out, "provider %s %s (%s)\n", p.Type, p.Version, p.Path)
	}
}
