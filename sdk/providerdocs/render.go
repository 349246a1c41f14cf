package providerdocs

import (
	"fmt"
	"strings"
	"time"

	"github.com/action-llama/gateway/sdk"
)

// fewValues is how many known values of a filter fit into its row of the table.
// More are listed below it.
const fewValues = 8

// host stands for the address of the reader's gateway, as in `al new`.
const host = "https://<your host>"

// Render returns what the descriptor says, as Markdown with headings of the
// third level. It says nothing about the version, so that a release changes no
// page.
func Render(d sdk.Descriptor) string {
	var b strings.Builder
	facts(&b, d)
	setup(&b, d)
	credential(&b, d.Credential)
	settings(&b, d)
	filters(&b, d.Filters)
	example(&b, d)
	samples(&b, d)
	return strings.TrimRight(b.String(), "\n")
}

// Row returns the line about a provider in an overview of several. Its columns
// are name, type, filters, credential, reply deadline and handshake; the name is
// a link to <type>.md.
func Row(d sdk.Descriptor) string {
	names := make([]string, len(d.Filters))
	for i, f := range d.Filters {
		names[i] = code(f.Name)
	}
	for _, s := range d.Settings {
		if s.Filters != nil {
			names = append(names, "and those in "+code(s.Name))
		}
	}
	cred := "none"
	if len(d.Credential.Fields) > 0 {
		cred = code(d.Credential.Type)
	}
	handshake := "no"
	if d.Challenges {
		handshake = "yes"
	}
	return row(fmt.Sprintf("[%s](%s.md)", text(d.Name), d.Type), code(d.Type), strings.Join(names, " "), cred, seconds(d.ReplyDeadline), handshake)
}

func facts(b *strings.Builder, d sdk.Descriptor) {
	b.WriteString(row("", "") + "\n" + row("---", "---") + "\n")
	fact := func(name, value string) { b.WriteString(row(name, value) + "\n") }
	fact("Type", code(d.Type))
	fact("Address", code(address(d))+", or "+code(address(d)+"/<source>")+" for one source")
	fact("Reply", "within "+seconds(d.ReplyDeadline)+"; if the gateway can not, it answers 503 before that")
	if d.Challenges {
		fact("Handshake", "answered by the provider, and starts nothing")
	}
	var by []string
	for _, s := range d.Settings {
		if s.SignatureHeader {
			by = append(by, "the header that "+code(s.Name)+" names")
		}
	}
	switch {
	case len(d.SignatureHeaders) > 0:
		fact("Signature", strings.Join(append([]string{codes(d.SignatureHeaders)}, by...), ", ")+"; checked, and not stored")
	case len(by) > 0:
		fact("Signature", strings.Join(by, ", ")+"; checked, and not stored")
	}
	if d.DeliveryIDHeader != "" {
		fact("Delivery id", code(d.DeliveryIDHeader))
	}
	if d.DocsURL != "" {
		fact("Vendor's page", "<"+cell(d.DocsURL)+">")
	}
	b.WriteString("\n")
}

func samples(b *strings.Builder, d sdk.Descriptor) {
	if len(d.Samples) == 0 {
		return
	}
	b.WriteString("### Test deliveries\n\n")
	fmt.Fprintf(b, "`al webhook send %s %s` sends one to a gateway that runs, signed with the source's credential.\n\n", d.Type, d.Samples[0].Name)
	b.WriteString(row("Sample", "What happens in it") + "\n" + row("---", "---") + "\n")
	for _, s := range d.Samples {
		b.WriteString(row(code(s.Name), text(s.Help)) + "\n")
	}
	b.WriteString("\n")
}

func setup(b *strings.Builder, d sdk.Descriptor) {
	words := strings.TrimSpace(strings.ReplaceAll(d.Setup, "{url}", address(d)))
	if words == "" {
		return
	}
	b.WriteString("### Setup in short\n\n")
	b.WriteString(block("text", words))
}

func credential(b *strings.Builder, c sdk.Credential) {
	if len(c.Fields) == 0 {
		return
	}
	fmt.Fprintf(b, "### Credential %s\n\n", code(c.Type))
	fmt.Fprintf(b, "`al creds add %[1]s:<name>` stores it, each field in a file `%[1]s/<name>/<field>` of the credentials folder.\n\n", c.Type)
	b.WriteString(row("Field", "What it is", "Secret", "Needed", "Where it comes from") + "\n")
	b.WriteString(row("---", "---", "---", "---", "---") + "\n")
	for _, f := range c.Fields {
		name := code(f.Name)
		if len(f.Aliases) > 0 {
			name += ", formerly " + codes(f.Aliases)
		}
		b.WriteString(row(name, text(f.Label), yesNo(f.Secret), yesNo(!f.Optional), text(f.Help)) + "\n")
	}
	b.WriteString("\n")
}

func filters(b *strings.Builder, all []sdk.Filter) {
	if len(all) == 0 {
		return
	}
	b.WriteString("### Filters\n\n")
	b.WriteString("All filters of a `[[webhooks]]` entry have to hold; each is satisfied by any of its values.\n\n")
	b.WriteString(row("Filter", "Takes", "Looks at", "An event without it", "Letter case", "") + "\n")
	b.WriteString(row("---", "---", "---", "---", "---", "---") + "\n")
	for _, f := range all {
		b.WriteString(row(code(f.Name), takes(f.Kind), code(f.Attribute), absent(f), letterCase(f), about(f, all)) + "\n")
	}
	b.WriteString("\n")
	for _, f := range all {
		if len(f.Values) > fewValues {
			fmt.Fprintf(b, "<details><summary>Known values of %s (%d)</summary>\n\n%s\n\n</details>\n\n", f.Name, len(f.Values), codes(f.Values))
		}
	}
}

func example(b *strings.Builder, d sdk.Descriptor) {
	b.WriteString("### Example\n\n")
	var t strings.Builder
	fmt.Fprintf(&t, "# config.toml\n[webhooks.%[1]s]\ntype = %[2]s\n", d.Type, quote(d.Type))
	if len(d.Credential.Fields) > 0 {
		t.WriteString("credential = \"default\"\n")
	}
	fmt.Fprintf(&t, "\n# agents/hello/config.toml\n[[webhooks]]\nsource = %s\n", quote(d.Type))
	for _, f := range d.Filters { // in the provider's order
		values := d.Example[f.Name]
		switch {
		case len(values) == 0:
		case f.Kind == sdk.String:
			fmt.Fprintf(&t, "%s = %s\n", f.Name, quote(values[0]))
		default:
			quoted := make([]string, len(values))
			for i, v := range values {
				quoted[i] = quote(v)
			}
			fmt.Fprintf(&t, "%s = [%s]\n", f.Name, strings.Join(quoted, ", "))
		}
	}
	b.WriteString(block("toml", strings.TrimRight(t.String(), "\n")))
}

func address(d sdk.Descriptor) string { return host + "/webhooks/" + d.Type }

func seconds(d time.Duration) string {
	if d <= 0 {
		return "10 s" // what sdk.Describe makes of it
	}
	return fmt.Sprintf("%g s", d.Seconds())
}

func takes(k sdk.FilterKind) string {
	if k == sdk.String {
		return "one text"
	}
	return "a text or a list"
}

func absent(f sdk.Filter) string {
	if f.PassAbsent {
		return "passes"
	}
	return "is held back"
}

func letterCase(f sdk.Filter) string {
	if f.MatchCase {
		return "counts"
	}
	return "does not count"
}

// about is what the row says in words: the provider's help, the values if they
// are few, which of them have to be named, and which other filters look at the
// same.
func about(f sdk.Filter, all []sdk.Filter) string {
	parts := []string{}
	if help := text(f.Help); help != "" {
		parts = append(parts, help)
	}
	switch {
	case len(f.Values) > fewValues:
		parts = append(parts, "Known values are below.")
	case len(f.Values) > 0:
		parts = append(parts, "Known: "+codes(f.Values)+".")
	}
	if len(f.OptIn) > 0 {
		parts = append(parts, "Only entries that name them get "+codes(f.OptIn)+".")
	}
	var same []string
	for _, other := range all {
		if other.Attribute == f.Attribute && other.Name != f.Name {
			same = append(same, other.Name)
		}
	}
	if len(same) > 0 {
		parts = append(parts, "Its values and those of "+codes(same)+" unite.")
	}
	return strings.Join(parts, " ")
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
