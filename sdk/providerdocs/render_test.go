package providerdocs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providerdocs"
)

func bell() sdk.Descriptor {
	return sdk.Descriptor{
		Type: "bell", Name: "Bell & Sons", DocsURL: "https://bell.example/docs",
		Credential: sdk.Credential{Type: "bell_secret", Fields: []sdk.Field{
			{Name: "secret", Label: "Bell secret", Secret: true, Help: "Menu | Doors,\nthen <your door>.", Aliases: []string{"key"}},
			{Name: "token", Label: "Token", Optional: true},
		}},
		SignatureHeaders: []string{"X-Bell-Signature", "X-Bell-Time"},
		DeliveryIDHeader: "X-Bell-Id",
		ReplyDeadline:    1500 * time.Millisecond,
		Challenges:       true,
		Setup:            "Enter {url}.\n```\nNot the end: <b>.\n",
		Filters: []sdk.Filter{
			{Name: "doors", Attribute: "door", Values: []string{"front", "back|side", "a`b"}, Help: "*Doors*."},
			{Name: "door", Kind: sdk.String, Attribute: "door", Help: "One door_name, or _other_."},
			{Name: "tunes", Attribute: "tune", PassAbsent: true, MatchCase: true, Values: strings.Fields("a b c d e f g h i"), OptIn: []string{"h", "i"}},
		},
		Example: map[string][]string{"tunes": {"a", "b"}, "door": {`front "left"`}},
		Samples: []sdk.Sample{{Name: "ring.long", Help: "Somebody rings | for long."}},
	}
}

func TestRender(t *testing.T) {
	t.Parallel()
	got := providerdocs.Render(bell())
	for _, want := range []string{
		"| Type | `bell` |\n",
		"| Address | `https://<your host>/webhooks/bell`, or ",
		"| Reply | within 1.5 s; ",
		"| Handshake | ",
		"| Signature | `X-Bell-Signature`, `X-Bell-Time`; ",
		"| Delivery id | `X-Bell-Id` |\n",
		"| Vendor's page | <https://bell.example/docs> |\n",

		"````text\nEnter https://<your host>/webhooks/bell.\n```\nNot the end: <b>.\n````\n",

		"### Credential `bell_secret`\n",
		"| `secret`, formerly `key` | Bell secret | yes | yes | Menu \\| Doors, then &lt;your door>. |\n",
		"| `token` | Token | no | no | |\n",

		"| `doors` | a text or a list | `door` | is held back | does not count | \\*Doors\\*. Known: `front`, `back\\|side`, ``a`b``. Its values and those of `door` unite. |\n",
		"| `door` | one text | `door` | is held back | does not count | One door_name, or \\_other\\_. Its values and those of `doors` unite. |\n",
		"| `tunes` | a text or a list | `tune` | passes | counts | Known values are below. Only entries that name them get `h`, `i`. |\n",
		"<details><summary>Known values of tunes (9)</summary>\n\n`a`, `b`, ",

		"```toml\n# config.toml\n[webhooks.bell]\ntype = \"bell\"\ncredential = \"default\"\n\n" +
			"# agents/hello/config.toml\n[[webhooks]]\nsource = \"bell\"\ndoor = \"front \\\"left\\\"\"\ntunes = [\"a\", \"b\"]\n```",
		"### Test deliveries\n\n`al webhook send bell ring.long` sends one ",
		"| `ring.long` | Somebody rings \\| for long. |",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("missing: %s", want)
		}
	}
	if t.Failed() {
		t.Logf("got:\n%s", got)
	}
}

// A provider that verifies nothing, filters nothing and says nothing still gets
// a page without empty tables.
func TestRenderLittle(t *testing.T) {
	t.Parallel()
	got := providerdocs.Render(sdk.Descriptor{Type: "plain", Name: "Plain"})
	for _, not := range []string{"Credential", "Filters", "credential =", "Handshake", "Signature", "Setup"} {
		if strings.Contains(got, not) {
			t.Errorf("says %q:\n%s", not, got)
		}
	}
	if !strings.Contains(got, "within 10 s") || !strings.Contains(got, `type = "plain"`) {
		t.Errorf("got:\n%s", got)
	}
}

// A release alone changes no page.
func TestRenderKeepsQuietAboutVersions(t *testing.T) {
	t.Parallel()
	d := bell()
	d.Version = "9.8.7"
	if providerdocs.Render(d) != providerdocs.Render(bell()) {
		t.Error("the version is in the page")
	}
}

func TestRow(t *testing.T) {
	t.Parallel()
	want := "| [Bell &amp; Sons](bell.md) | `bell` | `doors` `door` `tunes` | `bell_secret` | 1.5 s | yes |"
	if got := providerdocs.Row(bell()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := providerdocs.Row(sdk.Descriptor{Type: "plain", Name: "Plain"}), "| [Plain](plain.md) | `plain` | | none | 10 s | no |"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
