package install

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/spelling"
)

const (
	// LockName is the lock's file name, beside the project's config.toml.
	LockName = "al-plugins.lock"
	// AnyPlatform is that of a script.
	AnyPlatform = "any"

	lockVersion = 1
	maxLock     = 1 << 20 // bytes; a type takes some hundred
	maxVersion  = 100     // characters of a provider's version
)

const lockHead = `# The providers that this project runs, and what their files have to be. It is
# written by al plugin, and made to be committed: see docs/plugins.md.

`

// Sum is the SHA-256 of a file.
type Sum [32]byte

func (s Sum) String() string { return hex.EncodeToString(s[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (s Sum) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Sum) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(s)) {
		return fmt.Errorf("a SHA-256 has 64 hexadecimal digits, and this %d characters", len(text))
	}
	if _, err := hex.Decode(s[:], text); err != nil {
		return errors.New("a SHA-256 has 64 hexadecimal digits, and nothing else")
	}
	return nil
}

// Entry is what the lock records of a type.
type Entry struct {
	Version  string         `toml:"version"`
	Protocol int            `toml:"protocol"`
	SHA256   map[string]Sum `toml:"sha256"` // by platform, as GOOS/GOARCH, or AnyPlatform
}

// Platforms lists those that have a sum.
func (e Entry) Platforms() []string { return sortedKeys(e.SHA256) }

func (e Entry) equal(other Entry) bool {
	return e.Version == other.Version && e.Protocol == other.Protocol && maps.Equal(e.SHA256, other.SHA256)
}

// Lock is what a project recorded of its providers, by type.
type Lock map[string]Entry

// Types lists what is recorded, in order.
func (l Lock) Types() []string { return sortedKeys(l) }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// document is the file.
type document struct {
	Version int              `toml:"version"`
	Plugins map[string]Entry `toml:"plugins"`
}

// Format writes a lock, the same each time.
func (l Lock) Format() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(lockHead)
	enc := toml.NewEncoder(&b)
	if err := enc.Encode(document{Version: lockVersion, Plugins: l}); err != nil {
		return nil, fmt.Errorf("write %s: %w", LockName, err)
	}
	return b.Bytes(), nil
}

var (
	typePattern     = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	platformPattern = regexp.MustCompile(`^[a-z0-9]{1,20}/[a-z0-9]{1,20}$`)
)

// ParseLock reads a lock. Its error is a [config.Problem] with a place: what is
// not understood to its end must not decide what runs.
func ParseLock(data []byte) (Lock, error) {
	if at := bytes.Index(append([]byte("\n"), data...), []byte("\n<<<<<<< ")); at >= 0 {
		return nil, config.Errorf(place(data, at), "has two versions of a merge in it").
			WithFix("keep those lines of either side that are meant, without the markers; al plugin verify checks what comes of it")
	}
	var doc document
	dec := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil {
		return nil, lockProblem(err)
	}
	if doc.Version != lockVersion {
		advice := `write version = 1 above the first section, or restore the file`
		if doc.Version > lockVersion {
			advice = "update al"
		}
		return nil, config.Errorf(find(data, "version"), "is in version %d of its format, and this al knows %d", doc.Version, lockVersion).WithFix("%s", advice)
	}
	for _, typ := range sortedKeys(doc.Plugins) {
		if err := checkEntry(data, typ, doc.Plugins[typ]); err != nil {
			return nil, err
		}
	}
	if doc.Plugins == nil {
		doc.Plugins = map[string]Entry{}
	}
	return doc.Plugins, nil
}

func checkEntry(data []byte, typ string, e Entry) error {
	at := find(data, typ)
	again := "restore the file, or install the provider again with al plugin add"
	switch {
	case !typePattern.MatchString(typ):
		return config.Errorf(at, "plugins.%q: that is no type of a provider", typ).WithFix("%s", again)
	case e.Protocol < 1:
		return config.Errorf(at, "plugins.%s: protocol is missing, or less than 1", typ).WithFix("%s", again)
	case len(e.SHA256) == 0:
		return config.Errorf(at, "plugins.%s: no sha256 is recorded for any platform", typ).WithFix("%s", again)
	case !validVersion(e.Version):
		return config.Errorf(at, "plugins.%s: version is longer than %d characters, or has some that can not be shown", typ, maxVersion).WithFix("%s", again)
	}
	for _, platform := range e.Platforms() {
		if platform != AnyPlatform && !platformPattern.MatchString(platform) {
			return config.Errorf(find(data, platform), "plugins.%s.sha256: %q is no platform", typ, platform).
				WithFix(`they look like "linux/amd64", and that of a script is %q`, AnyPlatform)
		}
	}
	return nil
}

func validVersion(v string) bool {
	return utf8.ValidString(v) && utf8.RuneCountInString(v) <= maxVersion && !strings.ContainsFunc(v, func(r rune) bool { return !unicode.IsPrint(r) })
}

// lockProblem tells in our words where go-toml stumbled.
func lockProblem(err error) config.Problem {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		first := strict.Errors[0]
		row, column := first.Position()
		name := strings.Join(first.Key(), ".")
		p := config.Errorf(config.Pos{File: LockName, Line: row, Column: column}, "there is no key %q", name)
		last := first.Key()[len(first.Key())-1]
		if near := spelling.DidYouMean(last, []string{"version", "plugins", "protocol", "sha256"}); near != "" {
			return p.WithFix("%s", near)
		}
		return p.WithFix("remove it, or update al if a newer one wrote the file")
	}
	var d *toml.DecodeError
	if errors.As(err, &d) {
		row, column := d.Position()
		return config.Errorf(config.Pos{File: LockName, Line: row, Column: column}, "%s", strings.TrimPrefix(d.Error(), "toml: ")).
			WithFix("restore the file")
	}
	return config.Errorf(config.Pos{File: LockName, Line: 1, Column: 1}, "%s", strings.TrimPrefix(err.Error(), "toml: ")).WithFix("restore the file")
}

// find is the place where a word stands first, outside of comments.
func find(data []byte, word string) config.Pos {
	offset := 0
	for line := range bytes.Lines(data) {
		if at := bytes.Index(line, []byte(word)); at >= 0 && !bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) {
			return place(data, offset+at)
		}
		offset += len(line)
	}
	return config.Pos{File: LockName, Line: 1, Column: 1}
}

// place is an offset as people count.
func place(data []byte, offset int) config.Pos {
	before := data[:min(offset, len(data))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return config.Pos{File: LockName, Line: bytes.Count(before, []byte("\n")) + 1, Column: utf8.RuneCount(before[start:]) + 1}
}
