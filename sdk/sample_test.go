package sdk_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/sdk"
)

func TestFillMakesIDsOfWhatIsUnique(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 13, 14, 15, 167e6, time.FixedZone("", 3600))
	const text = "{{uuid}} {{hex}} {{digits}} {{code}} {{time}} {{unix}} {{millis}} {{other}} {{uuid}}"
	seen := map[string]bool{}
	for _, unique := range []string{"", "a", "b", "01k6r3z0m9t5c8q2w7x4y1v0nb"} {
		ask := sdk.SampleAsk{Unique: unique, SentAt: at}
		got := ask.Fill(text)
		if again := ask.Fill(text); again != got {
			t.Errorf("%q: %s, and then %s", unique, got, again)
		}
		want := `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12} [0-9a-f]{32} [1-9][0-9]{17} [A-Z0-5]{10} ` +
			`2026-03-01T12:14:15 1772367255 1772367255167 \{\{other\}\} `
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%q: %s", unique, got)
		}
		words := strings.Fields(got)
		if words[0] != words[len(words)-1] {
			t.Errorf("%q: two ids in one text: %s", unique, got)
		}
		for _, id := range words[:4] {
			if seen[id] {
				t.Errorf("%q: %s is another's", unique, id)
			}
			seen[id] = true
		}
	}
}
