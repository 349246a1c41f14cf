package provider

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/action-llama/gateway/sdk"
)

// noSubtype is how the filter subtypes names a message without one.
const noSubtype = "none"

// attributes are what filters look at. Empty values are left out.
type attributes map[string][]string

func (a attributes) with(name string, values ...string) attributes {
	var kept []string
	for _, value := range values {
		kept = appendText(kept, value)
	}
	if len(kept) > 0 {
		a[name] = kept
	}
	return a
}

// appendText leaves out what is empty or there already.
func appendText(list []string, text string) []string {
	if text == "" || slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// extra is what an agent gets beside the usual fields. What is empty or false is
// left out.
type extra map[string]any

func (x extra) set(name string, value any) {
	if value != nil {
		x[name] = value
	}
}

func (x extra) text(name, text string) {
	if text != "" {
		x[name] = sdk.Truncate(text)
	}
}

func (x extra) texts(name string, list []string) {
	if values := anyOf(list); values != nil {
		x[name] = values
	}
}

func (x extra) flag(name string, yes bool) {
	if yes {
		x[name] = true
	}
}

func (x extra) files(files []file) {
	var all []any
	for _, f := range files {
		one := extra{}
		one.text("id", f.ID)
		one.text("name", f.Name)
		one.text("type", f.Mimetype)
		one.text("url", f.URL) // wants the bot's token
		one.text("permalink", f.Permalink)
		one.text("access", f.Access)
		if len(one) > 0 {
			all = append(all, map[string]any(one))
		}
	}
	if len(all) > 0 {
		x["files"] = all
	}
}

// values adds what the inputs hold, by block and action.
func (x extra) values(s state) {
	blocks := extra{}
	for block, inputs := range s.Values {
		held := extra{}
		for action, in := range inputs {
			held.set(action, in.held())
		}
		if len(held) > 0 {
			blocks[block] = map[string]any(held)
		}
	}
	if len(blocks) > 0 {
		x["values"] = map[string]any(blocks)
	}
}

// all returns everything and tells the event what of it is a capability: who
// has one of these can answer in the app's name, without a token.
func (x extra) all(e *sdk.Event) map[string]any {
	for _, name := range []string{"responseUrl", "responseUrls", "triggerId"} {
		if _, ok := x[name]; ok {
			e.Sensitive = append(e.Sensitive, name)
		}
	}
	return x
}

// anyOf returns the texts that are not empty, as JSON has a list.
func anyOf(list []string) []any {
	var values []any
	for _, text := range list {
		if text != "" {
			values = append(values, sdk.Truncate(text))
		}
	}
	return values
}

// firstText returns the text of the first message that has any.
func firstText(messages ...*message) string {
	for _, m := range messages {
		if text := m.text(); text != "" {
			return text
		}
	}
	return ""
}

// text returns the text as Slack writes it: with &amp; &lt; &gt; and <@U1>. The
// text may be empty while blocks or attachments hold it.
func (m *message) text() string {
	if m.Text != "" {
		return m.Text
	}
	if text := gather(m.Blocks); text != "" {
		return text
	}
	return gather(m.Attachments)
}

// gather collects the texts in blocks and attachments, in their order, a line
// each. It stops where an agent would not see more.
func gather(value jsontext.Value) string {
	var lines []string
	fallback := "" // an attachment's summary of itself
	dec := jsontext.NewDecoder(bytes.NewReader(value), jsontext.AllowDuplicateNames(true))
	for size, name := 0, ""; size <= 4*sdk.MaxTextRunes; { // a character has at most four bytes
		token, err := dec.ReadToken()
		if err != nil {
			break // the end: it was valid when it was read as part of the payload
		}
		if token.Kind() != '"' {
			name = ""
			continue
		}
		text := token.String()
		if kind, n := dec.StackIndex(dec.StackDepth()); kind == '{' && n%2 == 1 {
			name = text
			continue
		}
		switch name {
		case "text", "pretext", "title", "url", "title_link":
			lines = appendNext(lines, text)
		case "user_id":
			lines = appendNext(lines, "<@"+text+">")
		case "fallback":
			fallback = cmp.Or(fallback, text)
		}
		size, name = size+len(text)+1, ""
	}
	return cmp.Or(strings.Join(lines, "\n"), fallback)
}

// appendNext leaves out empty lines.
func appendNext(lines []string, line string) []string {
	if line == "" {
		return lines
	}
	return append(lines, line)
}

// timeOf reads Slack's times: seconds, mostly with a fraction behind a dot,
// which some events leave out. The text itself is an id and is kept as it is.
func timeOf(ts string) time.Time {
	seconds, fraction, _ := strings.Cut(ts, ".")
	if fraction == "" && len(seconds) == len("1515449522000016") {
		seconds, fraction = seconds[:10], seconds[10:]
	}
	s, err := strconv.ParseUint(seconds, 10, 40)
	if err != nil || len(fraction) > 9 {
		return time.Time{}
	}
	n, err := strconv.ParseUint((fraction + "000000000")[:9], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return sdk.UnixTime(int64(s), int64(n))
}

func unix(seconds int64) time.Time {
	if seconds <= 0 {
		return time.Time{}
	}
	return sdk.UnixTime(seconds, 0)
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
