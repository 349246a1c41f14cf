package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/sdk"
)

func newCreds(s Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "creds",
		Short: "Store the secrets that sources and agents need",
		Args:  words(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCredsAdd(s, runCredsAdd))
	return cmd
}

type credsAddOptions struct {
	streams Streams
	ref     config.CredentialRef
	fields  []string // "name=file" or "name=-"
}

func newCredsAdd(s Streams, run func(context.Context, credsAddOptions) error) *cobra.Command {
	o := credsAddOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "add TYPE[:INSTANCE]",
		Short: "Store a credential",
		Long: `Store a credential, field by field. The provider that needs it says which
fields there are and where to find them; for any other type, name them with
--field. A value is typed without showing it, or read from a file or from
standard input: it is never an argument, which others could see.`,
		Example: `  al creds add acme_webhook_secret:my-agents
  al creds add acme_token --field token=- < token.txt
  al creds add acme_bot --field id=id.txt --field key=key.txt`,
		Args: words(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if o.ref, err = config.ParseCredential(args[0]); err != nil {
				return &usageError{err: err, usage: cmd.UsageString()}
			}
			return run(cmd.Context(), o)
		},
	}
	cmd.Flags().StringArrayVar(&o.fields, "field", nil, "read a field: NAME=FILE, or NAME=- for standard input")
	return cmd
}

func runCredsAdd(ctx context.Context, o credsAddOptions) error {
	known, err := fieldsOf(ctx, o.ref.Type)
	if err != nil {
		return err
	}
	values, err := givenFields(o, known)
	if err != nil {
		return err
	}
	if len(o.fields) == 0 {
		if values, err = askFields(o, known); err != nil {
			return err
		}
	}
	for _, f := range known {
		value, given := values[f.Name]
		switch {
		case !given && f.Optional:
			continue
		case !given:
			return fmt.Errorf("credential %s: the field %s is missing; give it with --field %s=FILE", o.ref, f.Name, f.Name)
		}
		if err := config.CheckField(f, value); err != nil {
			return fmt.Errorf("credential %s: %s %w", o.ref, f.Name, err)
		}
	}
	credentials, err := config.DefaultCredentials()
	if err != nil {
		return err
	}
	if err := credentials.Write(o.ref.Type, o.ref.Instance, values); err != nil {
		return err
	}
	fmt.Fprintf(o.streams.Out, "%s %s, in %s\n", o.streams.paint(green, "stored"), o.ref, credentials.Dir)
	return nil
}

// fieldsOf asks the installed providers which fields a type of credential has.
// Types that none of them knows are those of agents.
func fieldsOf(ctx context.Context, typ string) ([]sdk.Field, error) {
	types, err := app.InstalledTypes()
	if err != nil || len(types) == 0 {
		return nil, err
	}
	// One that does not start is not a reason to store nothing.
	providers, _ := app.DescribeProviders(ctx, types, hclog.NewNullLogger())
	for _, d := range providers {
		if d.Credential.Type == typ {
			return d.Credential.Fields, nil
		}
	}
	return nil, nil
}

// givenFields reads the fields that --field names.
func givenFields(o credsAddOptions, known []sdk.Field) (map[string]string, error) {
	values := map[string]string{}
	for _, given := range o.fields {
		name, source, ok := strings.Cut(given, "=")
		if !ok || name == "" || source == "" {
			return nil, &usageError{err: fmt.Errorf("--field %q is not NAME=FILE or NAME=-", name), usage: "Run al creds add --help for examples.\n"}
		}
		if len(known) > 0 && !slices.ContainsFunc(known, func(f sdk.Field) bool { return f.Name == name }) {
			return nil, fmt.Errorf("%s has no field %q; it has %s", o.ref.Type, name, fieldNames(known))
		}
		value, err := readValue(o.streams, source)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", name, err)
		}
		values[name] = value
	}
	return values, nil
}

// maxValue bounds a field; a key file is a few kilobytes.
const maxValue = 1 << 20

func readValue(s Streams, source string) (string, error) {
	in := s.In
	if source != "-" {
		f, err := os.Open(source)
		if err != nil {
			return "", err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxValue+1))
	if err != nil {
		return "", err
	}
	if len(raw) > maxValue {
		return "", errors.New("is larger than a secret can be")
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r"), nil
}

// askFields asks a person for each field. Without a terminal a single field is
// what standard input holds.
func askFields(o credsAddOptions, known []sdk.Field) (map[string]string, error) {
	if len(known) == 0 {
		return nil, fmt.Errorf("no installed provider knows the type %s; name its fields, for example --field token=-", o.ref.Type)
	}
	in, isFile := o.streams.In.(*os.File)
	if !isFile || !term.IsTerminal(int(in.Fd())) {
		if len(known) > 1 {
			return nil, fmt.Errorf("%s has several fields (%s); give each with --field NAME=FILE", o.ref.Type, fieldNames(known))
		}
		value, err := readValue(o.streams, "-")
		return map[string]string{known[0].Name: value}, err
	}
	values := map[string]string{}
	lines := bufio.NewReader(in)
	for _, f := range known {
		value, err := ask(o.streams, in, lines, f)
		if err != nil {
			return nil, err
		}
		if value != "" || !f.Optional {
			values[f.Name] = value
		}
	}
	return values, nil
}

// ask repeats a question until the answer can be one.
func ask(s Streams, in *os.File, lines *bufio.Reader, f sdk.Field) (string, error) {
	if f.Help != "" {
		fmt.Fprintf(s.Err, "%s\n", s.errPaint(dim, f.Help))
	}
	label := f.Label
	if label == "" {
		label = f.Name
	}
	if f.Optional {
		label += " (optional)"
	}
	for {
		fmt.Fprintf(s.Err, "%s: ", s.errPaint(bold, label))
		value, err := answerTo(s, in, lines, f.Secret)
		if err != nil {
			return "", fmt.Errorf("read %s: %w", f.Name, err)
		}
		if value == "" && f.Optional {
			return "", nil
		}
		wrong := config.CheckField(f, value)
		if wrong == nil {
			return value, nil
		}
		fmt.Fprintf(s.Err, "%s %v\n", s.errPaint(red, "that"), wrong)
	}
}

func answerTo(s Streams, in *os.File, lines *bufio.Reader, secret bool) (string, error) {
	if secret {
		raw, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(s.Err)
		return string(raw), err
	}
	line, err := lines.ReadString('\n')
	return strings.TrimSpace(line), err
}

func fieldNames(fields []sdk.Field) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return strings.Join(names, ", ")
}
