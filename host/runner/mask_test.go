package runner

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/action-llama/gateway/host/sensitive"
)

const key = "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA\nq83vEjRWeJCrze8S\n-----END KEY-----\n"

func TestMasker(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		secrets []string
		text    string
		want    string
	}{
		{"none", nil, "plain text", "plain text"},
		{"one", []string{"s3cret"}, "a s3cret b", "a *** b"},
		{"twice", []string{"s3cret"}, "s3cret, s3cret", "***, ***"},
		{"side by side", []string{"s3cret"}, "s3crets3cret!", "***!"},
		{"cut off at the end", []string{"s3cret"}, "x s3cre", "x ***"},
		{"a part in the middle stays", []string{"s3cret"}, "s3cre t s3c.", "s3cre t s3c."},
		{"a short part at the end stays", []string{"s3cret"}, "s3c", "s3c"},
		{"after a false start", []string{"aab!"}, "aaab!", "a***"},
		{"one begins the other", []string{"abcd", "abcdefgh"}, "abcdefgh abcdef.", "*** ***ef."},
		{"one is inside the other", []string{"bcde", "abcdef"}, "abcdef abcdex bcde", "*** a***x ***"},
		{"they overlap", []string{"abcd", "cdef"}, "xabcdefx", "x***x"},
		{"too short", []string{"abc", "", " "}, "abc", "abc"},
		{"newline after it in its file", []string{"s3cret\n"}, "s3cret", "***"},
		{"several lines", []string{key}, "key:\n" + key + "end", "key:\n***\nend"},
		{"several lines with a prefix each", []string{key}, "> -----BEGIN KEY-----\n> MIIEpAIBAAKCAQEA\n", "> ***\n> ***\n"},
		{"several lines in JSON", []string{key}, `{"key":"-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA\nq83vEjRWeJCrze8S\n-----END KEY-----\n"}`, `{"key":"***\n"}`},
		{"in JSON", []string{`p"ss<rd`}, `"p\"ss<rd" "p\"ss\u003crd"`, `"***" "***"`},
		{"in a URL", []string{"p@ss w/rd"}, "u=p%40ss+w%2Frd p@ss%20w%2Frd", "u=*** ***"},
		{"not UTF-8", []string{"\xff\xfe\xfd\xfc"}, "a\xff\xfe\xfd\xfcb", "a***b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for size := 1; size <= len(tt.text); size++ {
				if got := masked(t, tt.secrets, tt.text, size); got != tt.want {
					t.Errorf("in pieces of %d: got %q, want %q", size, got, tt.want)
				}
			}
		})
	}
}

// Who follows an output sees each line when it is written, unless its end may
// still become a secret.
func TestMaskerHoldsBackNoMoreThanItMust(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	m := newMasker(&out, []string{"s3cret"})
	for _, step := range []struct{ write, want string }{
		{"done s", "done "},
		{"oon s3c", "soon "},
		{"ret", "***"},
		{".", "."},
	} {
		out.Reset()
		if _, err := m.Write([]byte(step.write)); err != nil {
			t.Fatal(err)
		}
		if out.String() != step.want {
			t.Errorf("after %q: got %q, want %q", step.write, out.String(), step.want)
		}
	}
}

func TestMaskerTakesAllWhenWritingFails(t *testing.T) {
	t.Parallel()
	m := newMasker(failingWriter{}, []string{"s3cret"})
	if n, err := m.Write([]byte("a s3cret")); n != 8 || err == nil {
		t.Errorf("got %d, %v; want 8 and an error", n, err)
	}
}

func FuzzMasker(f *testing.F) {
	f.Add("s3cret\x00abcd\x00cdef", "a s3cret abcdef s3cre", uint8(1))
	f.Add("aaaa\x00aaab\x00aaaaaa", "aaaaaaaaabaaaa", uint8(3))
	f.Add(key, "x"+key+key, uint8(7))
	f.Add(`a"b<c`, `a\"b\u003cc a%22b`, uint8(2))
	f.Fuzz(func(t *testing.T, secrets, text string, size uint8) {
		list := strings.Split(secrets, "\x00")
		want := maskedSlowly(list, text)
		if got := masked(t, list, text, int(size)+1); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func BenchmarkMasker(b *testing.B) {
	line := []byte(strings.Repeat("2026-10-01T10:00:00Z INFO compiled 17 packages, ghost of a token\n", 500))
	m := newMasker(discard{}, []string{"ghp_0123456789abcdef", key, "another-secret"})
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		_, _ = m.Write(line)
	}
}

func masked(t *testing.T, secrets []string, text string, size int) string {
	t.Helper()
	var out bytes.Buffer
	m := newMasker(&out, secrets)
	for piece := range slices.Chunk([]byte(text), size) {
		if n, err := m.Write(piece); n != len(piece) || err != nil {
			t.Fatalf("write: %d, %v", n, err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// maskedSlowly is what masking means, without streaming.
func maskedSlowly(secrets []string, text string) string {
	hidden := make([]bool, len(text))
	hide := func(from, to int) {
		for i := from; i < to; i++ {
			hidden[i] = true
		}
	}
	begun := 0
	for _, s := range sensitive.Spellings(secrets) {
		for i := range len(text) {
			if strings.HasPrefix(text[i:], s) {
				hide(i, i+len(s))
			}
			if rest := text[i:]; len(rest) < len(s) && strings.HasPrefix(s, rest) {
				begun = max(begun, len(rest))
			}
		}
	}
	if begun >= sensitive.MinLength {
		hide(len(text)-begun, len(text))
	}
	var b strings.Builder
	for i := range len(text) {
		switch {
		case !hidden[i]:
			b.WriteByte(text[i])
		case i == 0 || !hidden[i-1]:
			b.WriteString(sensitive.Mask)
		}
	}
	return b.String()
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }
