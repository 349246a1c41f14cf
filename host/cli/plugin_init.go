package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/scaffold"
	"github.com/action-llama/gateway/host/version"
)

type pluginInitOptions struct {
	streams  Streams
	provider scaffold.Provider
	header   string
	prefix   string
	dir      string
	sdk      string
}

func newPluginInit(s Streams, run func(context.Context, pluginInitOptions) error) *cobra.Command {
	o := pluginInitOptions{streams: s}
	var schemes strings.Builder
	for _, scheme := range scaffold.Schemes() {
		fmt.Fprintf(&schemes, "\n  %-18s %s", scheme.Name, scheme.Help)
	}
	cmd := &cobra.Command{
		Use:   "init TYPE",
		Short: "Write a provider of your own, ready to build and to publish",
		Long: `Write a provider for a vendor: a module of its own that builds, passes the
conformance kit and can be published, with cases, a CI file and a Makefile whose
"make dist" makes what al plugin add takes. What is yours to change is how the
vendor's body becomes an event.

It begins with one of these ways to sign:
` + schemes.String() + `

TypeScript speaks the provider protocol without an SDK, on Node 20; its module
begins with standard-webhooks.`,
		Example: `  al plugin init acme
  al plugin init acme --scheme timestamped --header Acme-Signature --module example.com/acme
  al plugin init acme --language typescript --scheme standard-webhooks`,
		Args: words(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.provider.Type = args[0]
			if cmd.Flags().Changed("header") {
				o.provider.Header = &o.header
			}
			if cmd.Flags().Changed("prefix") {
				o.provider.Prefix = &o.prefix
			}
			if o.provider.Language == scaffold.TypeScript && !cmd.Flags().Changed("scheme") {
				o.provider.Scheme = "standard-webhooks"
			}
			if err := o.provider.Check(); err != nil {
				return &usageError{err: err, usage: cmd.UsageString()}
			}
			return run(cmd.Context(), o)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	f := cmd.Flags()
	f.StringVar(&o.provider.Language, "language", scaffold.Go, "go or typescript")
	f.StringVar(&o.provider.Scheme, "scheme", scaffold.Schemes()[0].Name, "how the vendor signs")
	f.StringVar(&o.provider.Name, "name", "", "the vendor's name (default: from the type)")
	f.StringVar(&o.header, "header", "", "the header of the signature (default: what is usual for the scheme)")
	f.StringVar(&o.prefix, "prefix", "", `what stands before the signature in its header, like "sha256="`)
	f.StringVar(&o.provider.Module, "module", "", "path of the Go module (default: al-provider-TYPE)")
	f.StringVar(&o.dir, "dir", "", "folder to make (default: al-provider-TYPE)")
	f.StringVar(&o.sdk, "sdk", "", "version of the Go SDK, or a folder with it (default: the one this al was released with)")
	_ = cmd.MarkFlagDirname("dir")
	_ = cmd.MarkFlagDirname("sdk")
	_ = cmd.RegisterFlagCompletionFunc("language", cobra.FixedCompletions([]string{scaffold.Go, scaffold.TypeScript}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("scheme", cobra.FixedCompletions(scaffold.SchemeNames(), cobra.ShellCompDirectiveNoFileComp))
	for _, name := range []string{"name", "header", "prefix", "module"} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
	return cmd
}

func runPluginInit(ctx context.Context, o pluginInitOptions) error {
	if o.dir == "" {
		o.dir = o.provider.Binary()
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	if err := mustBeEmpty(dir); err != nil {
		return err
	}
	o.provider.Year = time.Now().Year()
	if o.provider.Language == scaffold.Go {
		if err := o.chooseSDK(dir); err != nil {
			return err
		}
	}
	files, err := o.provider.Files()
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := writeNew(filepath.Join(dir, filepath.FromSlash(f.Name)), string(f.Text)); err != nil {
			return err
		}
	}
	fmt.Fprintf(o.streams.Out, "wrote %s: %s\n", o.dir, count(len(files), "file"))
	if o.provider.Language == scaffold.Go {
		if err := o.tidy(ctx, dir); err != nil {
			return err
		}
	}
	o.explain()
	return nil
}

var sdkVersion = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)

// chooseSDK says which SDK the module requires: a released version, or a folder
// that stands in for it.
func (o *pluginInitOptions) chooseSDK(dir string) error {
	p := &o.provider
	switch {
	case o.sdk == "" && version.SDK == "":
		return errors.New("this al was built from a tree and of no released SDK: name the tree's folder sdk with --sdk DIR, or a version with --sdk v1.2.3")
	case o.sdk == "":
		p.SDKVersion = version.SDK
		return nil
	case sdkVersion.MatchString(o.sdk):
		p.SDKVersion = o.sdk
		return nil
	}
	folder, err := filepath.Abs(o.sdk)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(folder, "go.mod"))
	if err != nil || !bytes.HasPrefix(text, []byte("module github.com/action-llama/gateway/sdk\n")) {
		return fmt.Errorf("--sdk %s is neither a version like v1.2.3 nor the folder of the SDK, which has a go.mod that says so", o.sdk)
	}
	// Beside each other they can move, or be somebody else's.
	if relative, err := filepath.Rel(resolved(dir), resolved(folder)); err == nil && !filepath.IsAbs(o.sdk) {
		folder = relative
	}
	p.SDKVersion, p.SDKDir = "v0.0.0", filepath.ToSlash(folder)
	return nil
}

// resolved is a path without links, as far as it is there.
func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return filepath.Join(resolved(filepath.Dir(path)), filepath.Base(path))
}

// tidyTimeout is for a slow network: the SDK's dependencies are some ten modules.
const tidyTimeout = 5 * time.Minute

// tidy writes the rest of go.mod, and go.sum.
func (o pluginInitOptions) tidy(ctx context.Context, dir string) error {
	tool, err := exec.LookPath("go")
	if err != nil {
		fmt.Fprintf(o.streams.Err, "Go is not installed here; where it is, run first: cd %s && go mod tidy\n", o.dir)
		return nil
	}
	line := startProgress(o.streams, "go mod tidy")
	defer line.stop()
	ctx, cancel := context.WithTimeout(ctx, tidyTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool, "mod", "tidy")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the files are written, and go mod tidy failed in %s (%w):\n%s", o.dir, err, bytes.TrimSpace(out))
	}
	return nil
}

func (o pluginInitOptions) explain() {
	where, what := "provider.go", "Parse"
	if o.provider.Language == scaffold.TypeScript {
		where, what = "src/provider.ts", "parse"
	}
	fmt.Fprintf(o.streams.Out, `
  cd %s
  make test                    the conformance kit, on the cases in cases/
  %-28s how the vendor's body becomes an event: %s
  make dist                    what al plugin add takes
`, o.dir, where, what)
}
