package providerdocs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk/providerdocs"
)

const (
	begin = "<!-- generated from the provider: begin -->"
	end   = "<!-- generated from the provider: end -->"
)

func TestInsert(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, doc, generated, want, fault string }{
		{"replaces", "a\n" + begin + "\nold\n" + end + "\nz\n", "\nnew\n\n", "a\n" + begin + "\nnew\n" + end + "\nz\n", ""},
		{"fills", begin + end, "new", begin + "\nnew\n" + end, ""},
		{"keeps line ends", "a\r\n" + begin + "\n" + end + "\r\nz", "new", "a\r\n" + begin + "\nnew\n" + end + "\r\nz", ""},
		{"no begin", "a\n" + end, "new", "", "begin --> is there 0 times"},
		{"no end", begin + "\nz", "new", "", "end --> is there 0 times"},
		{"two", begin + end + begin + end, "new", "", "begin --> is there 2 times"},
		{"swapped", end + begin, "new", "", "swap"},
		{"marker inside", begin + end, "new " + end, "", "could not be found again"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := providerdocs.Insert(tt.doc, tt.generated)
			if tt.fault == "" && (err != nil || got != tt.want) {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
			if tt.fault != "" && (err == nil || !strings.Contains(err.Error(), tt.fault)) {
				t.Errorf("got %v; want %q", err, tt.fault)
			}
		})
	}
}

// ear hears what a check says.
type ear struct{ errors, skips []string }

func (e *ear) Helper() {}
func (e *ear) Errorf(format string, args ...any) {
	e.errors = append(e.errors, fmt.Sprintf(format, args...))
}
func (e *ear) Skipf(format string, args ...any) {
	e.skips = append(e.skips, fmt.Sprintf(format, args...))
}

// heard fails the test unless each error holds its word, in order.
func (e *ear) heard(t *testing.T, words ...string) {
	t.Helper()
	ok := len(e.errors) == len(words)
	for i := 0; ok && i < len(words); i++ {
		ok = strings.Contains(e.errors[i], words[i])
	}
	if !ok {
		t.Errorf("said %q; want %q", e.errors, words)
	}
}

func write(t *testing.T, doc string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bell.md")
	if err := os.WriteFile(file, []byte(doc), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Not parallel: it sets the environment.
func TestCheck(t *testing.T) {
	t.Setenv("UPDATE", "")
	d := bell()
	d.Example = nil // so that all its values are known
	page := "# Bell\n\n" + begin + "\n" + end + "\n\nTraps.\n"
	file := write(t, page)

	var stale ear
	providerdocs.Check(&stale, d, file)
	stale.heard(t, "bell.md:4: not what the provider's descriptor says; UPDATE=1")

	t.Setenv("UPDATE", "1")
	var updated ear
	providerdocs.Check(&updated, d, file)
	updated.heard(t)

	t.Setenv("UPDATE", "")
	var fresh ear
	providerdocs.Check(&fresh, d, file)
	fresh.heard(t)
	raw, err := os.ReadFile(file)
	if got := string(raw); err != nil || !strings.HasPrefix(got, "# Bell\n\n") || !strings.HasSuffix(got, "\n\nTraps.\n") || !strings.Contains(got, "bell_secret") {
		t.Errorf("%v; the page is:\n%s", err, raw)
	}

	d.Filters[0].Help = "Changed."
	var changed ear
	providerdocs.Check(&changed, d, file)
	changed.heard(t, "Changed.")
}

func TestCheckWithoutPage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()

	var alone ear
	providerdocs.Check(&alone, bell(), filepath.Join(dir, "docs", "bell.md"))
	alone.heard(t)
	if len(alone.skips) != 1 || !strings.Contains(alone.skips[0], "without the repository") {
		t.Errorf("skipped %q", alone.skips)
	}

	var missing ear
	providerdocs.Check(&missing, bell(), filepath.Join(dir, "bell.md"))
	missing.heard(t, "is missing; write it")

	var bare ear
	providerdocs.Check(&bare, bell(), write(t, "# Bell\n"))
	bare.heard(t, "begin --> is there 0 times")
}

func TestCheckRow(t *testing.T) {
	t.Parallel()
	var e ear
	providerdocs.CheckRow(&e, bell(), write(t, "# All\n\n"+providerdocs.Row(bell())+"\r\n"))
	e.heard(t)
	changed := bell()
	changed.Filters = changed.Filters[1:]
	providerdocs.CheckRow(&e, changed, write(t, providerdocs.Row(bell())))
	e.heard(t, "`door` `tunes`")
}

func TestCheckExamples(t *testing.T) {
	t.Parallel()
	const source = "```toml\n[webhooks.home]\ntype = \"bell\"\n[webhooks.shop]\ntype = 'till'\n```\n"
	tests := []struct {
		name, block string
		faults      []string
	}{
		{"fine", "[[webhooks]] # one\nsource = \"home\" # the \"shop\" is another\ndoors = [\"front\", 'back|side'] # and \"cellar\"\ntunes = \"a\"", nil},
		{"letter case that does not count", "[[webhooks]]\nsource = \"home\"\ndoors = \"FRONT\"", nil},
		{"letter case that counts", "[[webhooks]]\nsource = \"home\"\ntunes = \"A\"", []string{`bell.md:10: "tunes" does not know the value "A"`}},
		{"unknown filter", "[[webhooks]]\nsource = \"home\"\nwindows = [\"front\"]", []string{`bell.md:10: bell has no filter "windows"`}},
		{"unknown value", "[[webhooks]]\nsource = \"home\"\ndoors = [\"front\", \"cellar\"]", []string{`"cellar"`}},
		{"a list for a text", "[[webhooks]]\nsource = \"home\"\ndoor = [\"front\", \"back\"]", []string{`"door" takes one text`}},
		{"several lines", "[[webhooks]]\nsource = \"home\"\ndoors = [\n  \"front\",\n]", []string{"all of it on this line"}},
		{"of another type", "[[webhooks]]\nsource = \"shop\"\nsums = [\"1\"]", nil},
		{"source from nowhere", "[[webhooks]]\nsource = \"attic\"", []string{`type of the source "attic"`}},
		{"another file", "[[webhooks]]\nsource = \"home\"\n\n# agents/next/config.toml\nscale = 2\n\n[[webhooks]]\nsource = \"home\"", nil},
		{"other tables", "[params]\nwindows = \"x\"\n[[webhooks]]\nsource = \"home\"\n[runner]\nharness = \"print\"", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var e ear
			file := write(t, source+"```toml\n"+tt.block+"\n```\n\n```\n[[webhooks]]\nnot = \"toml\"\n```\n")
			providerdocs.CheckExamples(&e, bell(), file)
			e.heard(t, tt.faults...)
		})
	}
}

// What Render writes has to pass the check of it.
func TestOwnExample(t *testing.T) {
	t.Parallel()
	d := bell()
	d.Example = map[string][]string{"doors": {"front", "a`b"}, "tunes": {"a"}}
	if err := d.Validate(); err != nil {
		t.Fatal(err)
	}
	var e ear
	providerdocs.CheckExamples(&e, d, write(t, providerdocs.Render(d)))
	e.heard(t)
}

var _ providerdocs.T = (*testing.T)(nil)
