package install

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/action-llama/gateway/host/config"
)

var aSum = Sum{1, 2, 3}

func aLock() Lock {
	return Lock{
		"bell":  {Version: "1.2.3", Protocol: 1, SHA256: map[string]Sum{"linux/amd64": aSum, "darwin/arm64": {9}}},
		"acme":  {Version: `"dev'`, Protocol: 2, SHA256: map[string]Sum{AnyPlatform: {7}}},
		"zzz-1": {Protocol: 1, SHA256: map[string]Sum{"linux/arm64": {8}}},
	}
}

// What is written is read again, and is the same each time: it is committed.
func TestLockKeepsWhatItRecords(t *testing.T) {
	t.Parallel()
	first, err := aLock().Format()
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if again, err := aLock().Format(); err != nil || string(again) != string(first) {
			t.Fatalf("another text, %v:\n%s", err, again)
		}
	}
	got, err := ParseLock(first)
	if err != nil || cmp.Diff(aLock(), got) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(aLock(), got))
	}
	text := string(first)
	if !strings.HasPrefix(text, "# The providers") || strings.Index(text, "[plugins.acme]") > strings.Index(text, "[plugins.bell]") {
		t.Errorf("the file:\n%s", text)
	}
	empty, err := Lock{}.Format()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ParseLock(empty); err != nil || len(got) != 0 {
		t.Errorf("an empty one: %v, %v", got, err)
	}
}

// What is not understood to its end is refused, at its place.
func TestLockSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	const sum = "0102030000000000000000000000000000000000000000000000000000000000"
	for name, c := range map[string]struct{ text, want string }{
		"no version":     {"[plugins]\n", "al-plugins.lock:1:1: is in version 0 of its format"},
		"future":         {"# of version\nversion = 2\n", "al-plugins.lock:2:1: is in version 2 of its format, and this al knows 1; update al"},
		"unknown key":    {"version = 1\n[plugins.bell]\nversions = '1'\n", `al-plugins.lock:3:1: there is no key "plugins.bell.versions"; did you mean "version"?`},
		"no TOML":        {"version = 1\n[plugins.bell\n", "al-plugins.lock:2:14: "},
		"short sum":      {"version = 1\n[plugins.bell]\nprotocol = 1\nsha256 = {'linux/amd64' = 'abc'}\n", "al-plugins.lock:4:27: a SHA-256 has 64 hexadecimal digits, and this 3 characters"},
		"no hex":         {"version = 1\n[plugins.bell.sha256]\n'linux/amd64' = '" + strings.Replace(sum, "01", "zz", 1) + "'\n", "al-plugins.lock:3:17: a SHA-256 has 64 hexadecimal digits, and nothing else"},
		"no sums":        {"version = 1\n[plugins.bell]\nversion = '1'\nprotocol = 1\n", "al-plugins.lock:2:10: plugins.bell: no sha256"},
		"no protocol":    {"version = 1\n[plugins.bell]\nversion = '1'\nsha256.any = '" + sum + "'\n", "al-plugins.lock:2:10: plugins.bell: protocol is missing"},
		"no type":        {"version = 1\n[plugins.'../bell']\nprotocol = 1\nsha256.any = '" + sum + "'\n", `al-plugins.lock:2:11: plugins."../bell": that is no type`},
		"no platform":    {"version = 1\n[plugins.bell]\nprotocol = 1\nsha256.linux = '" + sum + "'\n", `al-plugins.lock:4:8: plugins.bell.sha256: "linux" is no platform`},
		"odd version":    {"version = 1\n[plugins.bell]\nversion = \"\\u001b[31m\"\nprotocol = 1\nsha256.any = '" + sum + "'\n", "version is longer than"},
		"twice":          {"version = 1\n[plugins.bell]\nprotocol = 1\nprotocol = 1\n", "al-plugins.lock:4:1: "},
		"merge conflict": {"version = 1\n[plugins.bell]\n<<<<<<< HEAD\nprotocol = 1\n", "al-plugins.lock:3:1: has two versions of a merge in it"},
	} {
		_, err := ParseLock([]byte(c.text))
		var p config.Problem
		if !errors.As(err, &p) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", name, err, c.want)
		}
	}
}

// A lock never panics, and what it takes it writes again.
func FuzzParseLock(f *testing.F) {
	text, err := aLock().Format()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("version = 1\n<<<<<<< x"))
	f.Add([]byte("version = 1\n[plugins.\"a\\u0000\"]\nprotocol = 9999999999999999999"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := ParseLock(data)
		if err != nil {
			return
		}
		out, err := l.Format()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseLock(out)
		if err != nil || !cmp.Equal(l, again) {
			t.Fatalf("%v\n%s", err, cmp.Diff(l, again))
		}
	})
}
