package match

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func fold(s string) string { return string(appendFold(nil, s)) }

// Every rune there is: folding must not join what EqualFold keeps apart, nor
// keep apart what it joins.
func TestLetterCaseOfEveryCharacterFoldsAsEqualFoldDoes(t *testing.T) {
	t.Parallel()
	byFold := map[string]rune{}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		f := fold(string(r))
		if !strings.EqualFold(f, string(r)) {
			t.Fatalf("%U folds to %q, which is another letter", r, f)
		}
		if first, ok := byFold[f]; !ok {
			byFold[f] = r
		} else if !strings.EqualFold(string(first), string(r)) {
			t.Fatalf("%U and %U fold to %q, but are different letters", first, r, f)
		}
		if other := unicode.SimpleFold(r); fold(string(other)) != f {
			t.Fatalf("%U and %U are one letter, but fold to %q and %q", r, other, f, fold(string(other)))
		}
	}
}

func TestFoldingAgreesWithEqualFold(t *testing.T) {
	t.Parallel()
	tricky := rapid.SampledFrom([]string{
		"a", "A", "k", "K", "\u212a", "s", "S", "ſ", "ß", "ẞ", "i", "I", "İ", "ı", "σ", "ς", "Σ", "µ", "μ", "Ⱥ", "ⱥ",
		"é", "É", "-", "/", "\xff", "\xc3", "\uFFFD", "", "日",
	})
	word := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(tricky, 0, 4).Draw(t, "letters"), "")
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		if rapid.Bool().Draw(t, "same letters") {
			b = strings.Map(unicode.SimpleFold, a)
		}
		if got, want := fold(a) == fold(b), strings.EqualFold(a, b); got != want {
			t.Fatalf("%q and %q: folded equal is %v, EqualFold says %v", a, b, got, want)
		}
		if folded(a) != fold(a) {
			t.Fatalf("%q is kept as %q, but looked up as %q", a, folded(a), fold(a))
		}
	})
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"", "bug", "Bug", "acme/Widgets", "\u212aelvin", "ſtraße", "İ", "\xff\xfe", "日本"} {
		f.Add(s, strings.ToUpper(s))
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if got, want := fold(a) == fold(b), strings.EqualFold(a, b); got != want {
			t.Fatalf("%q and %q: folded equal is %v, EqualFold says %v", a, b, got, want)
		}
		if folded(a) != fold(a) || fold(fold(a)) != fold(a) {
			t.Fatalf("%q folds to %q, again to %q, kept as %q", a, fold(a), fold(fold(a)), folded(a))
		}
	})
}

func TestLowerCaseValuesAreKeptWithoutACopy(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { _ = folded("acme/widgets-2") }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
