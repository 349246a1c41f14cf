package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/action-llama/gateway/sdk"
)

// DefaultInstance is the instance that a credential's type alone stands for.
const DefaultInstance = "default"

// CredentialsEnv moves the folder of credentials.
const CredentialsEnv = "AL_CREDENTIALS_DIR"

// credentialName is what a type, an instance and a field may be called: never
// a path, and never hidden.
var credentialName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// CredentialRef names a credential.
type CredentialRef struct {
	Type     string // empty where the provider's descriptor says it
	Instance string
	Pos      Pos
}

// String is "type:instance", as the commands take it.
func (r CredentialRef) String() string {
	if r.Type == "" {
		return r.Instance
	}
	return r.Type + ":" + r.Instance
}

// For completes the reference of a source by the credential type of its
// provider. Naming the type alone means its default instance.
func (r CredentialRef) For(typ string) CredentialRef {
	switch {
	case r.Type != "":
	case r.Instance == typ:
		r.Type, r.Instance = typ, DefaultInstance
	default:
		r.Type = typ
	}
	return r
}

// ParseCredential reads "type", which means its default instance, and
// "type:instance".
func ParseCredential(text string) (CredentialRef, error) {
	typ, instance, ok := strings.Cut(text, ":")
	if !ok {
		instance = DefaultInstance
	}
	ref := CredentialRef{Type: strings.TrimSpace(typ), Instance: strings.TrimSpace(instance)}
	if !credentialName.MatchString(ref.Type) || !credentialName.MatchString(ref.Instance) {
		return CredentialRef{}, errors.New(`not the name of a credential: write type or type:instance with letters, digits, ".", "_" and "-"`)
	}
	return ref, nil
}

// Credentials is the folder <type>/<instance>/<field> of secrets, one file per
// field. Names can not lead out of it, and neither can symbolic links in it.
type Credentials struct {
	Dir string
}

// DefaultCredentials is where credentials are kept: AL_CREDENTIALS_DIR, else
// .action-llama/credentials in the home directory.
func DefaultCredentials() (Credentials, error) {
	if dir := os.Getenv(CredentialsEnv); dir != "" {
		return Credentials{Dir: dir}, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return Credentials{}, fmt.Errorf("find the credentials: %w; set HOME or %s", err, CredentialsEnv)
	}
	return Credentials{Dir: filepath.Join(home, ".action-llama", "credentials")}, nil
}

// maxCredential bounds a field. A key file is a few kilobytes.
const maxCredential = 1 << 20

// Read returns the fields of a credential. An error names everything that is
// missing and how to add it, satisfies errors.Is with fs.ErrNotExist if that is
// all, and never quotes a value.
func (c Credentials) Read(typ, instance string, fields []sdk.Field) (map[string]string, error) {
	ref := CredentialRef{Type: typ, Instance: instance}
	root, err := c.open(ref)
	if err != nil {
		return nil, err
	}
	defer root.Close()

	out := make(map[string]string, len(fields))
	var missing []string
	for _, f := range fields {
		text, err := readField(root, append([]string{f.Name}, f.Aliases...))
		switch {
		case errors.Is(err, fs.ErrNotExist) && f.Optional:
			continue
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, c.path(ref, f.Name))
			continue
		case err != nil:
			return nil, fmt.Errorf("credential %s: read %s: %w", ref, c.path(ref, f.Name), err)
		}
		if err := CheckField(f, text); err != nil {
			return nil, fmt.Errorf("credential %s: %s %w; store it again with al creds add %s", ref, c.path(ref, f.Name), err, ref)
		}
		out[f.Name] = text
	}
	if len(missing) > 0 {
		return nil, c.missing(ref, missing)
	}
	return out, nil
}

// ReadAll returns every field that is stored of a credential, for an agent that
// lists it: what it needs of it is known to nobody else.
func (c Credentials) ReadAll(typ, instance string) (map[string]string, error) {
	ref := CredentialRef{Type: typ, Instance: instance}
	root, err := c.open(ref)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("credential %s: %w", ref, err)
	}
	out := map[string]string{}
	for _, e := range entries {
		if !credentialName.MatchString(e.Name()) {
			continue
		}
		text, err := readField(root, []string{e.Name()})
		if errors.Is(err, errNoFile) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("credential %s: read %s: %w", ref, c.path(ref, e.Name()), err)
		}
		out[e.Name()] = text
	}
	if len(out) == 0 {
		return nil, c.missing(ref, []string{c.path(ref, "")})
	}
	return out, nil
}

// ReadSet reads all credentials of an agent. It tells of all that are missing.
func (c Credentials) ReadSet(refs []CredentialRef) (map[CredentialRef]map[string]string, error) {
	out := make(map[CredentialRef]map[string]string, len(refs))
	var errs []error
	for _, ref := range refs {
		ref.Pos = Pos{}
		fields, err := c.ReadAll(ref.Type, ref.Instance)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out[ref] = fields
	}
	return out, errors.Join(errs...)
}

func (c Credentials) path(ref CredentialRef, field string) string {
	return filepath.Join(c.Dir, ref.Type, ref.Instance, field)
}

// open opens the folder of one credential, from which nothing leads out.
func (c Credentials) open(ref CredentialRef) (*os.Root, error) {
	for _, name := range []string{ref.Type, ref.Instance} {
		if !credentialName.MatchString(name) {
			return nil, fmt.Errorf(`credential %q: not a name: use letters, digits, ".", "_" and "-"`, shorten(ref.String()))
		}
	}
	all, err := os.OpenRoot(c.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, c.missing(ref, []string{c.path(ref, "")})
	}
	if err != nil {
		return nil, fmt.Errorf("credential %s: %w", ref, err)
	}
	defer all.Close()
	root, err := all.OpenRoot(filepath.Join(ref.Type, ref.Instance))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, c.missing(ref, []string{c.path(ref, "")})
	}
	if err != nil {
		return nil, fmt.Errorf("credential %s: open %s: %w", ref, c.path(ref, ""), bare(err))
	}
	return root, nil
}

// missing names the paths, what there is of the type, and the command.
func (c Credentials) missing(ref CredentialRef, paths []string) error {
	hint := ""
	if all, err := c.List(); err == nil {
		var others []string
		for _, have := range all {
			if have.Type == ref.Type && have.Instance != ref.Instance {
				others = append(others, have.Instance)
			}
		}
		if len(others) > 0 {
			hint = fmt.Sprintf(" (of this type there is %s)", list(others))
		}
	}
	return &missingError{fmt.Sprintf("credential %s: %s not found%s; add it with al creds add %s",
		ref, list(paths), hint, ref)}
}

type missingError struct{ text string }

func (e *missingError) Error() string        { return e.text }
func (e *missingError) Is(target error) bool { return target == fs.ErrNotExist }

// errNoFile: there is something by that name, but not a file.
var errNoFile = errors.New("is not a file")

// readField reads the first of several names that is stored.
func readField(root *os.Root, names []string) (string, error) {
	for _, name := range names {
		if !credentialName.MatchString(name) {
			return "", fmt.Errorf("%q is not a name for a field", shorten(name))
		}
		info, err := root.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", bare(err)
		}
		if !info.Mode().IsRegular() { // opening a pipe would wait for its writer
			return "", errNoFile
		}
		f, err := root.Open(name)
		if err != nil {
			return "", bare(err)
		}
		data, err := io.ReadAll(io.LimitReader(f, maxCredential+1))
		_ = f.Close()
		switch {
		case err != nil:
			return "", bare(err)
		case len(data) > maxCredential:
			return "", fmt.Errorf("is larger than %s", formatSize(maxCredential))
		}
		return trimNewline(string(data)), nil
	}
	return "", fs.ErrNotExist
}

// trimNewline removes the one newline that editors and echo put at the end of a
// file. Anything else, a blank or a second newline, may be part of the secret:
// vendors take what was typed into their form, and so must we.
func trimNewline(text string) string {
	if trimmed, ok := strings.CutSuffix(text, "\r\n"); ok {
		return trimmed
	}
	return strings.TrimSuffix(text, "\n")
}

// CheckField says what is wrong with the value of a field, without quoting it.
func CheckField(f sdk.Field, text string) error {
	if f.Pattern == "" {
		if text == "" {
			return errors.New("is empty")
		}
		return nil
	}
	pattern, err := regexp.Compile(`^(?:` + f.Pattern + `)$`)
	if err != nil {
		return fmt.Errorf("can not be checked: its provider gives a wrong pattern: %w", err)
	}
	if !pattern.MatchString(text) {
		what := f.Label
		if what == "" {
			what = f.Name
		}
		if f.Help != "" {
			what += " (" + strings.TrimSuffix(f.Help, ".") + ")"
		}
		return fmt.Errorf("does not look like a %s", what)
	}
	return nil
}

// List returns the credentials that are stored, by type and instance.
func (c Credentials) List() ([]CredentialRef, error) {
	types, err := os.ReadDir(c.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list credentials: %w", err)
	}
	var out []CredentialRef
	for _, typ := range types {
		if !credentialName.MatchString(typ.Name()) {
			continue
		}
		instances, err := os.ReadDir(filepath.Join(c.Dir, typ.Name()))
		if err != nil {
			continue // a file, which is no type
		}
		for _, instance := range instances {
			if credentialName.MatchString(instance.Name()) && (instance.IsDir() || instance.Type() == fs.ModeSymlink) {
				out = append(out, CredentialRef{Type: typ.Name(), Instance: instance.Name()})
			}
		}
	}
	slices.SortFunc(out, func(a, b CredentialRef) int { return strings.Compare(a.String(), b.String()) })
	return out, nil
}
