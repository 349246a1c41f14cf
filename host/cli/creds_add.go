package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/config"
)

type credsAddOptions struct {
	streams  Streams
	project  string
	ref      config.CredentialRef
	fields   []string // "name=file" or "name=-"
	generate bool
	force    bool
}

func newCredsAdd(s Streams, run func(context.Context, credsAddOptions) error) *cobra.Command {
	o := credsAddOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "add TYPE[:INSTANCE]",
		Short: "Store a credential",
		Long: `Store a credential, field by field. What fields there are and where to find
them, its provider says, or the table of what agents commonly use (al creds
types); for any other type, name them with --field. A value is typed without
showing it, or read from a file or from standard input: it is never an argument,
which others could see. Without INSTANCE it is the one called "default".

Nothing that is stored is replaced without being asked, or told with --force.`,
		Example: `  al creds add acme_webhook_secret:my-org            asks for each field
  al creds add acme_webhook_secret --generate        makes the secret up
  al creds add acme_token --field token=- < token.txt
  al creds add acme_bot --field id=id.txt --field key=key.txt`,
		Args:              words(cobra.ExactArgs(1)),
		ValidArgsFunction: completeTypes(&o.project),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if o.ref, err = config.ParseCredential(args[0]); err == nil {
				err = checkFieldFlags(o.fields)
			}
			if err != nil {
				return &usageError{err: err, usage: cmd.UsageString()}
			}
			return run(cmd.Context(), o)
		},
	}
	projectFlag(cmd, &o.project)
	cmd.Flags().StringArrayVar(&o.fields, "field", nil, "read a field: NAME=FILE, or NAME=- for standard input")
	cmd.Flags().BoolVar(&o.generate, "generate", false, "make up the secret that you tell the vendor")
	cmd.Flags().BoolVarP(&o.force, "force", "f", false, "replace what is stored")
	return cmd
}

// checkFieldFlags finds what can be seen to be wrong before anything is read.
func checkFieldFlags(fields []string) error {
	seen := map[string]bool{}
	stdin := false
	for _, given := range fields {
		name, source, ok := strings.Cut(given, "=")
		switch {
		case !ok || name == "" || source == "":
			// What follows the "=" may be the secret itself, typed there by mistake.
			return fmt.Errorf("--field %q is not NAME=FILE or NAME=-", name)
		case seen[name]:
			return fmt.Errorf("--field %s is there twice", name)
		case source == "-" && stdin:
			return errors.New("standard input can only be one field; read the others from files")
		}
		seen[name], stdin = true, stdin || source == "-"
	}
	return nil
}

func runCredsAdd(ctx context.Context, o credsAddOptions) error {
	credentials, err := config.DefaultCredentials()
	if err != nil {
		return err
	}
	p, _ := projectHere(o.project, false)
	known, err := readCatalog(ctx, o.streams, p)
	if err != nil {
		return err
	}
	typ, _ := known.find(o.ref.Type)
	a := addition{options: o, typ: typ, known: known, stored: map[string]bool{}, values: map[string]string{}}
	switch stored, err := credentials.Inspect(o.ref.Type, o.ref.Instance); {
	case err == nil:
		for _, f := range stored {
			a.stored[f.Name] = true
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := a.collect(ctx); err != nil {
		return err
	}
	if err := a.check(credentials); err != nil {
		return err
	}
	if err := credentials.Write(o.ref.Type, o.ref.Instance, a.values); err != nil {
		return err
	}
	a.tell(credentials)
	return nil
}

// addition is a credential that is being put together.
type addition struct {
	options   credsAddOptions
	typ       credentialType
	known     catalog
	stored    map[string]bool // fields that are there already
	values    map[string]string
	generated []string
	replace   bool // the person said so
}

// collect takes the fields from where the call says, else from a person, else
// from standard input.
func (a *addition) collect(ctx context.Context) error {
	for _, given := range a.options.fields {
		name, source, _ := strings.Cut(given, "=")
		if _, ok := a.typ.field(name); len(a.typ.Fields) > 0 && !ok {
			return fmt.Errorf("%s has no field %q; it has %s", a.typ.Type, name, a.typ.fieldNames())
		}
		value, err := readValue(a.options.streams, source)
		if err != nil {
			return fmt.Errorf("field %s: %w", name, err)
		}
		a.values[name] = value
	}
	if a.options.generate {
		if err := a.generate(); err != nil {
			return err
		}
	}
	switch {
	case len(a.values) > 0:
		return nil
	case len(a.typ.Fields) == 0:
		return fmt.Errorf("%s; name its fields, for example --field token=-", a.known.unknown(a.typ.Type))
	}
	if d, ok := a.options.streams.dialog(); ok {
		return a.ask(ctx, d)
	}
	if len(a.typ.Fields) > 1 {
		return fmt.Errorf("%s has several fields (%s); give each with --field NAME=FILE", a.typ.Type, a.typ.fieldNames())
	}
	value, err := readValue(a.options.streams, "-")
	a.values[a.typ.Fields[0].Name] = value
	return err
}

func (a *addition) generate() error {
	for _, f := range a.typ.Fields {
		if _, given := a.values[f.Name]; f.Generated && !given {
			a.values[f.Name] = app.RandomSecret()
			a.generated = append(a.generated, f.Name)
		}
	}
	if len(a.generated) == 0 {
		return fmt.Errorf("there is nothing to make up for %s: who issues it hands it out. al creds types %s says where to find it", a.options.ref, a.typ.Type)
	}
	return nil
}

// ask goes through the fields with a person.
func (a *addition) ask(ctx context.Context, d *dialog) error {
	d.say("%s %s", a.options.ref, d.streams.errPaint(dim, a.typ.Name))
	if len(a.stored) > 0 && !a.options.force {
		yes, err := d.confirm(ctx, a.options.ref.String()+" is stored already. Replace it?", false)
		if err != nil {
			return err
		}
		if !yes {
			return errors.New("left as it was")
		}
	}
	a.replace = true
	for _, f := range a.typ.Fields {
		if err := a.askField(ctx, d, f); err != nil {
			return err
		}
	}
	if len(a.values) == 0 {
		return errors.New("nothing was given, so nothing was changed")
	}
	return nil
}

// askField repeats a question until the answer can be one.
func (a *addition) askField(ctx context.Context, d *dialog, f config.ToolField) error {
	if f.Help != "" {
		d.say("%s", d.streams.errPaint(dim, f.Help))
	}
	question := f.Label
	if question == "" {
		question = f.Name
	}
	if f.Lines {
		question += ", in the file"
	}
	switch {
	case a.stored[f.Name]:
		question += " (Enter keeps what is stored)"
	case f.Generated:
		question += " (Enter makes one up)"
	case f.Optional:
		question += " (optional)"
	}
	for {
		value, err := a.answer(ctx, d, question+":", f)
		switch {
		case errors.Is(err, errAnswer):
			d.say("%s %v", d.streams.errPaint(red, "that"), err)
			continue
		case err != nil:
			return fmt.Errorf("read %s: %w", f.Name, err)
		case value == "" && a.stored[f.Name]:
			return nil
		case value == "" && f.Generated:
			a.values[f.Name] = app.RandomSecret()
			a.generated = append(a.generated, f.Name)
			return nil
		case value == "" && f.Optional:
			return nil
		}
		if wrong := config.CheckField(f.Field, value); wrong != nil {
			d.say("%s %v", d.streams.errPaint(red, "that"), wrong)
			continue
		}
		if value != strings.TrimSpace(value) && !f.Lines {
			d.say("%s it begins or ends with a blank, which is kept", d.streams.errPaint(yellow, "note:"))
		}
		a.values[f.Name] = value
		return nil
	}
}

// errAnswer: a person may answer again.
var errAnswer = errors.New("is not a file that can be read")

func (a *addition) answer(ctx context.Context, d *dialog, question string, f config.ToolField) (string, error) {
	switch {
	case f.Lines:
		file, err := d.line(ctx, question)
		if err != nil || file == "" {
			return "", err
		}
		value, err := readValue(d.streams, fromHome(file))
		if err != nil {
			return "", fmt.Errorf("%w: %w", errAnswer, err)
		}
		return value, nil
	case f.Secret:
		return d.secret(ctx, question)
	default:
		return d.line(ctx, question)
	}
}

// fromHome is what a shell would make of "~/".
func fromHome(file string) string {
	if rest, ok := strings.CutPrefix(file, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	return file
}

// check finds everything that is wrong with the fields, before any is written.
func (a *addition) check(credentials config.Credentials) error {
	var wrong []string
	var taken []string
	for _, name := range slices.Sorted(maps.Keys(a.values)) {
		f, known := a.typ.field(name)
		if !known {
			f.Name = name
		}
		if err := config.CheckField(f.Field, a.values[name]); err != nil {
			wrong = append(wrong, name+" "+err.Error())
		}
		if a.stored[name] {
			taken = append(taken, name)
		}
	}
	for _, f := range a.typ.Fields {
		if !f.Optional && !a.has(f) {
			wrong = append(wrong, fmt.Sprintf("the field %s is missing; give it with --field %s=FILE", f.Name, f.Name))
		}
	}
	switch {
	case len(wrong) > 0:
		return fmt.Errorf("credential %s: %s", a.options.ref, strings.Join(wrong, "; "))
	case len(taken) > 0 && !a.options.force && !a.replace:
		return fmt.Errorf("credential %s: %s is stored already, in %s; --force replaces it", a.options.ref,
			strings.Join(taken, ", "), filepath.Join(credentials.Dir, a.options.ref.Type, a.options.ref.Instance))
	}
	return nil
}

// has says whether a field is given or stored, by its name or an older one.
func (a *addition) has(f config.ToolField) bool {
	for _, name := range append([]string{f.Name}, f.Aliases...) {
		if _, given := a.values[name]; given || a.stored[name] {
			return true
		}
	}
	return false
}

func (a *addition) tell(credentials config.Credentials) {
	s := a.options.streams
	dir := filepath.Join(credentials.Dir, a.options.ref.Type, a.options.ref.Instance)
	fmt.Fprintf(s.Out, "%s %s (%s), in %s\n", s.paint(green, "stored"), a.options.ref,
		strings.Join(slices.Sorted(maps.Keys(a.values)), ", "), dir)
	for _, name := range a.generated {
		fmt.Fprintf(s.Out, "%s was made up for you; copy it to %s from\n  %s\n", name, a.vendor(), filepath.Join(dir, name))
	}
}

func (a *addition) vendor() string {
	if a.typ.Provider != "" {
		return a.typ.Name
	}
	return "where it is checked"
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
	if text, ok := strings.CutSuffix(string(raw), "\r\n"); ok {
		return text, nil
	}
	return strings.TrimSuffix(string(raw), "\n"), nil
}
