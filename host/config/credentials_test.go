package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/action-llama/gateway/sdk"
)

// stored makes a folder of credentials.
func stored(t *testing.T, files map[string]string) Credentials {
	t.Helper()
	c := Credentials{Dir: filepath.Join(t.TempDir(), "credentials")}
	if err := os.Mkdir(c.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(c.Dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

var secretField = []sdk.Field{{Name: "secret", Label: "webhook secret", Secret: true}}

// One newline is an editor's; everything else may be the secret's.
func TestReadTrimsOneNewline(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"abc": "abc", "abc\n": "abc", "abc\r\n": "abc", "abc\n\n": "abc\n", " abc \n": " abc ", "abc\r": "abc\r",
		"a\nb\n": "a\nb", "\n\n": "\n", "\x00\xff": "\x00\xff",
	} {
		c := stored(t, map[string]string{"hook_secret/default/secret": file})
		got, err := c.Read("hook_secret", "default", secretField)
		if err != nil || got["secret"] != want {
			t.Errorf("%q: got %q, %v; want %q", file, got["secret"], err, want)
		}
	}
}

func TestReadFields(t *testing.T) {
	t.Parallel()
	c := stored(t, map[string]string{
		"bot/default/public_key":  "abcd\n",
		"bot/default/bot_token":   "tok\n",
		"bot/default/not-a-field": "x",
	})
	got, err := c.Read("bot", "default", []sdk.Field{
		{Name: "publicKey", Aliases: []string{"public-key", "public_key"}, Pattern: "[0-9a-f]{4}"},
		{Name: "bot_token"},
		{Name: "application_id", Optional: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"publicKey": "abcd", "bot_token": "tok"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	c := stored(t, map[string]string{
		"hook_secret/acme/secret":  "hunter2",
		"hook_secret/empty/secret": "\n",
		"key/default/public":       "hunter2",
		"key/huge/public":          strings.Repeat("x", maxCredential+1),
		"key/dir/public/x":         "x",
		"file":                     "x",
	})
	if err := syscall.Mkfifo(filepath.Join(c.Dir, "key", "default", "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(filepath.Dir(c.Dir), "outside")
	if err := os.WriteFile(outside, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"key/default/link": outside, "key/default/up": "../../../outside", "linked": filepath.Dir(c.Dir)} {
		if err := os.Symlink(target, filepath.Join(c.Dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	field := func(name string) []sdk.Field { return []sdk.Field{{Name: name}} }
	for name, c2 := range map[string]struct {
		typ, instance string
		fields        []sdk.Field
		want          string
		missing       bool
	}{
		"no such type": {"other", "default", secretField,
			"credential other:default: DIR/other/default not found; add it with al creds add other:default", true},
		"no such instance": {"hook_secret", "acmee", secretField,
			"credential hook_secret:acmee: DIR/hook_secret/acmee not found (of this type there is acme and empty); add it with al creds add hook_secret:acmee", true},
		"no such fields": {"hook_secret", "acme", []sdk.Field{{Name: "a"}, {Name: "b"}},
			"credential hook_secret:acme: DIR/hook_secret/acme/a and DIR/hook_secret/acme/b not found (of this type there is empty); add it with al creds add hook_secret:acme", true},
		"empty": {"hook_secret", "empty", secretField,
			"credential hook_secret:empty: DIR/hook_secret/empty/secret is empty; store it again with al creds add hook_secret:empty", false},
		"pattern": {"key", "default", []sdk.Field{{Name: "public", Label: "public key", Help: "64 hex digits.", Pattern: "[0-9a-f]{64}"}},
			"credential key:default: DIR/key/default/public does not look like a public key (64 hex digits); store it again with al creds add key:default", false},
		"huge":          {"key", "huge", field("public"), "credential key:huge: read DIR/key/huge/public: is larger than 1MiB", false},
		"folder":        {"key", "dir", field("public"), "credential key:dir: read DIR/key/dir/public: is not a file", false},
		"pipe":          {"key", "default", field("pipe"), "credential key:default: read DIR/key/default/pipe: is not a file", false},
		"link out":      {"key", "default", field("link"), "credential key:default: read DIR/key/default/link: path escapes from parent", false},
		"link up":       {"key", "default", field("up"), "credential key:default: read DIR/key/default/up: path escapes from parent", false},
		"linked type":   {"linked", "credentials", field("file"), "credential linked:credentials: open DIR/linked/credentials: path escapes from parent", false},
		"up by name":    {"..", "credentials", field("file"), `credential "..:credentials": not a name: use letters, digits, ".", "_" and "-"`, false},
		"up by field":   {"key", "default", field("../../file"), `credential key:default: read DIR/file: "../../file" is not a name for a field`, false},
		"path instance": {"key", "a/b", field("x"), `credential "key:a/b": not a name: use letters, digits, ".", "_" and "-"`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := c.Read(c2.typ, c2.instance, c2.fields)
			if err == nil {
				t.Fatal("no error")
			}
			if got := strings.ReplaceAll(err.Error(), c.Dir, "DIR"); got != c2.want {
				t.Errorf("\ngot  %s\nwant %s", got, c2.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("the error quotes the secret")
			}
			if got := errors.Is(err, fs.ErrNotExist); got != c2.missing {
				t.Errorf("is not there: got %v", got)
			}
		})
	}
}

// Container platforms mount secrets as links within the folder.
func TestLinksInside(t *testing.T) {
	t.Parallel()
	c := stored(t, map[string]string{"hook_secret/default/..2026/secret": "abc\n"})
	dir := filepath.Join(c.Dir, "hook_secret", "default")
	for link, target := range map[string]string{"..data": "..2026", "secret": "..data/secret"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := c.Read("hook_secret", "default", secretField)
	if err != nil || got["secret"] != "abc" {
		t.Errorf("Read: %v, %v", got, err)
	}
	if all, err := c.ReadAll("hook_secret", "default"); err != nil || len(all) != 1 || all["secret"] != "abc" {
		t.Errorf("ReadAll: %v, %v", all, err)
	}
}

func TestReadSet(t *testing.T) {
	t.Parallel()
	c := stored(t, map[string]string{"api_token/default/token": "t\n", "git_ssh/botty/id_rsa": "k\n", "git_ssh/botty/username": "b"})
	a, b := CredentialRef{Type: "api_token", Instance: "default"}, CredentialRef{Type: "git_ssh", Instance: "botty"}
	got, err := c.ReadSet([]CredentialRef{a, b})
	if err != nil {
		t.Fatal(err)
	}
	want := map[CredentialRef]map[string]string{a: {"token": "t"}, b: {"id_rsa": "k", "username": "b"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	_, err = c.ReadSet([]CredentialRef{{Type: "x", Instance: "default"}, a, {Type: "y", Instance: "default"}})
	if err == nil || !strings.Contains(err.Error(), "x:default") || !strings.Contains(err.Error(), "y:default") {
		t.Errorf("both are missing: %v", err)
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	c := Credentials{Dir: filepath.Join(t.TempDir(), "a", "credentials")}
	for _, text := range []string{"first", "two\n", "", " blanks "} {
		if err := c.Write("hook_secret", "my.org", map[string]string{"secret": text}); err != nil {
			t.Fatal(err)
		}
		got, err := c.ReadAll("hook_secret", "my.org")
		if err != nil || got["secret"] != text || len(got) != 1 {
			t.Errorf("wrote %q, read %q, %v", text, got, err)
		}
	}
	for path, want := range map[string]fs.FileMode{"": 0o700, "hook_secret": 0o700, "hook_secret/my.org": 0o700, "hook_secret/my.org/secret": 0o600} {
		info, err := os.Stat(filepath.Join(c.Dir, path))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if problems := c.Check("hook_secret", "my.org"); len(problems) > 0 {
		t.Errorf("what we wrote is not fine:\n%s", render(problems))
	}
	if list, err := c.List(); err != nil || len(list) != 1 || list[0].String() != "hook_secret:my.org" {
		t.Errorf("List: %v, %v", list, err)
	}
	for _, bad := range [][3]string{{"../x", "a", "f"}, {"t", "..", "f"}, {"t", "a", ".hidden"}, {"t", "a", "x/y"}, {"", "a", "f"}} {
		if err := c.Write(bad[0], bad[1], map[string]string{bad[2]: "x"}); err == nil {
			t.Errorf("%q was written", bad)
		}
	}
	if err := c.Remove("hook_secret", "my.org"); err != nil {
		t.Error(err)
	}
	if err := c.Remove("hook_secret", "my.org"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a second time: %v", err)
	}
}

func TestCheckWarnsOfOthers(t *testing.T) {
	t.Parallel()
	c := stored(t, map[string]string{"hook_secret/default/secret": "x", "hook_secret/default/fine": "x"})
	path := filepath.Join(c.Dir, "hook_secret", "default", "secret")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	got := strings.ReplaceAll(render(c.Check("hook_secret", "default")), c.Dir, "DIR")
	want := "warning: DIR/hook_secret/default/secret: others on this machine can get at this secret (mode 0644); chmod 600 DIR/hook_secret/default/secret\n"
	if got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	if problems := c.Check("absent", "default"); problems != nil {
		t.Errorf("absent: %v", problems)
	}
}

func TestCredentialRefs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"api_token": "api_token:default", "git_ssh:botty": "git_ssh:botty", " a : b ": "a:b"} {
		if got, err := ParseCredential(text); err != nil || got.String() != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", ":", "a:", ":b", "a:b:c", "../a", "a/b", "a:..", "-x"} {
		if got, err := ParseCredential(text); err == nil {
			t.Errorf("%q: got %v", text, got)
		}
	}
	for ref, want := range map[CredentialRef]string{
		{Instance: "MyOrg"}:                        "hook_secret:MyOrg",
		{Instance: "hook_secret"}:                  "hook_secret:default",
		{Type: "other", Instance: "x"}:             "other:x",
		{Type: "hook_secret", Instance: "default"}: "hook_secret:default",
	} {
		if got := ref.For("hook_secret").String(); got != want {
			t.Errorf("%+v: got %s, want %s", ref, got, want)
		}
	}
}

func TestDefaultCredentials(t *testing.T) {
	t.Setenv("HOME", "/home/al")
	t.Setenv(CredentialsEnv, "")
	if c, err := DefaultCredentials(); err != nil || c.Dir != "/home/al/.action-llama/credentials" {
		t.Errorf("%v, %v", c, err)
	}
	t.Setenv(CredentialsEnv, "/run/secrets")
	if c, err := DefaultCredentials(); err != nil || c.Dir != "/run/secrets" {
		t.Errorf("%v, %v", c, err)
	}
}

// A credential that is new is there with all of its fields, whenever one looks,
// and one that can not be written leaves nothing.
func TestWriteAppearsWhole(t *testing.T) {
	t.Parallel()
	c := Credentials{Dir: filepath.Join(t.TempDir(), "credentials")}
	if err := c.Write("bot", "default", map[string]string{"id": "1", "no/name": "2"}); err == nil {
		t.Error("a path is taken for the name of a field")
	}
	if _, err := os.Stat(filepath.Join(c.Dir, "bot")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something is left: %v", err)
	}
	fields := map[string]string{}
	for i := range 20 {
		fields[fmt.Sprintf("f%d", i)] = "x"
	}
	done := make(chan error, 4)
	for range cap(done) { // several at once, of which one makes it and the others write into it
		go func() { done <- c.Write("bot", "default", fields) }()
	}
	for left := cap(done); left > 0; {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			left--
		default:
		}
		if stored, err := c.Inspect("bot", "default"); err == nil && len(stored) != len(fields) {
			t.Fatalf("only %d fields are there", len(stored))
		}
	}
	entries, err := os.ReadDir(filepath.Join(c.Dir, "bot"))
	if err != nil || len(entries) != 1 {
		t.Errorf("drafts are left: %v, %v", entries, err)
	}
}

func TestTighten(t *testing.T) {
	t.Parallel()
	c := stored(t, map[string]string{"bot/default/id": "1", "bot/default/key": "2"})
	dir := filepath.Join(c.Dir, "bot", "default")
	if err := errors.Join(os.Chmod(dir, 0o777), os.Chmod(filepath.Join(dir, "key"), 0o644)); err != nil {
		t.Fatal(err)
	}
	changed, err := c.Tighten("bot", "default")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Loose{{dir, 0o777, 0o700}, {filepath.Join(dir, "key"), 0o644, 0o600}}, changed); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if loose := c.Loose("bot", "default"); len(loose) > 0 {
		t.Errorf("still: %v", loose)
	}
}

// owned is a file of somebody.
type owned struct {
	fs.FileInfo
	stat syscall.Stat_t
}

func (o owned) Sys() any { return &o.stat }

func TestAGroupMayReadWhatRootHandsOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		owner uint32
		user  int
		want  fs.FileMode
	}{{0, 65532, 0o740}, {0, 0, 0o700}, {65532, 65532, 0o700}, {1000, 65532, 0o700}} {
		if got := allowed(owned{stat: syscall.Stat_t{Uid: c.owner}}, c.user); got != c.want {
			t.Errorf("owner %d, read by %d: %o, want %o", c.owner, c.user, got, c.want)
		}
	}
}
