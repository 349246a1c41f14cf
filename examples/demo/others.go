package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// others is the part of the demo about every vendor but the first: one agent
// that waits for something of each.
type others struct {
	vendors []vendor
	skipped []string // files that are not there
	sources string   // what was added to config.toml
	agent   string   // config.toml of the agent
}

const (
	everything = "everything" // the agent
	instance   = "demo"       // of each credential
	inline     = 80           // how long an answer may be to stand beside its request
)

// configure adds the sources, the agent and the credentials of all vendors
// whose provider was built.
func configure(project, credentials, plugins string) (others, error) {
	all, err := vendors()
	if err != nil {
		return others{}, err
	}
	var o others
	for _, v := range all {
		binary := filepath.Join(plugins, "al-provider-"+v.typ)
		switch _, err := os.Stat(binary); {
		case err == nil:
			o.vendors = append(o.vendors, v)
		case errors.Is(err, fs.ErrNotExist):
			o.skipped = append(o.skipped, binary)
		default:
			return o, err
		}
	}
	if len(o.vendors) == 0 {
		return o, nil
	}

	o.sources, o.agent = "[webhooks]\n", "webhooks = [\n"
	for _, v := range o.vendors {
		o.sources += fmt.Sprintf("%-8s = { type = %q, credential = %q }\n", v.typ, v.typ, instance)
		o.agent += fmt.Sprintf("  { source = %q, %s },\n", v.typ, v.filters)
		if err := v.store(credentials); err != nil {
			return o, err
		}
	}
	o.agent += "]\n"
	return o, o.write(project)
}

func (o others) write(project string) error {
	name := filepath.Join(project, "config.toml")
	config, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if err := os.WriteFile(name, append(config, "\n"+o.sources...), 0o600); err != nil {
		return err
	}
	dir := filepath.Join(project, "agents", everything)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "SKILL.md"), []byte("Say in one sentence what happened.\n"), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.toml"), []byte(o.agent), 0o600)
}

// store writes the credential as `al creds add` would.
func (v vendor) store(credentials string) error {
	dir := filepath.Join(credentials, v.credential, instance)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, value := range v.fields {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value+"\n"), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// show has every vendor call and shows what it was answered and what the agent
// was told.
func (o others) show(ctx context.Context, s screen, g *gateway) error {
	if len(o.vendors) > 0 {
		s.line("%s, added before the start, with credentials made up for this demo", s.paint(cyan, "config.toml"))
		s.block(o.sources)
		s.line("%s", s.paint(cyan, "agents/"+everything+"/config.toml"))
		s.block(o.agent)
		s.line("Below: each request, its whole answer, and what the agent was told, ids and times left out.")
	}
	last := ""
	for _, v := range o.vendors {
		s.line("")
		s.line("%s", s.paint(bold, v.name))
		receipt := ""
		for _, c := range v.calls {
			got, id, err := v.send(ctx, g.url, c)
			if text := got.text(); len(text) <= inline {
				s.line("%s  %-28s %s", s.status(got.status), c.what, s.paint(dim, text))
			} else {
				s.line("%s  %s", s.status(got.status), c.what)
				s.line("     %s", s.paint(dim, text))
			}
			if err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
			if c.starts {
				receipt = id
			}
		}
		run, err := g.waitRun(ctx, everything, last)
		if err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		last = run
		told, err := readContext(filepath.Join(g.project, ".al", "runs", run, "context.json"))
		if err != nil {
			return err
		}
		told.show(s, v.context)
		if err := told.check(v, receipt); err != nil {
			return fmt.Errorf("%s: the agent's context: %w", v.name, err)
		}
	}
	if len(o.skipped) > 0 && len(o.vendors) > 0 {
		s.line("")
	}
	for _, name := range o.skipped {
		s.line("%s %s is not there; make build makes it", s.paint(yellow, "skipped:"), name)
	}
	return nil
}

// send makes a call and checks its answer. It also returns the receipt that the
// answer names.
func (v vendor) send(ctx context.Context, url string, c call) (got answer, receipt string, err error) {
	now := time.Now()
	var body []byte
	header := http.Header{}
	if c.payload != "" {
		if body, err = payloads.ReadFile("payloads/" + v.typ + "/" + c.payload); err != nil {
			return answer{}, "", err
		}
		body = fill(body, now)
		header.Set("Content-Type", "application/json")
	}
	for name, value := range c.header {
		header.Set(name, value)
	}
	key := v.key
	if c.forge {
		key = v.stranger
	}
	if !c.unsigned {
		v.sign(header, key, body, now)
	}
	method := c.method
	if method == "" {
		method = http.MethodPost
	}
	got, err = exchange(ctx, method, url+"/webhooks/"+v.typ+c.query, header, body)
	if err != nil {
		return answer{}, "", err
	}
	receipt, ok := got.matches(c.want)
	if !ok {
		return got, "", fmt.Errorf("%s: answered %d %q %q; expected %d %q %q", c.what,
			got.status, got.contentType, got.body, c.want.status, c.want.contentType, c.want.body)
	}
	return got, receipt, nil
}

// fill puts the time into a payload, where a vendor has it in there and the
// provider looks at it.
func fill(body []byte, now time.Time) []byte {
	const discordEpoch = 1420070400000 // the first second of 2015, in ms
	id := (now.UnixMilli() - discordEpoch) << 22
	return []byte(strings.NewReplacer(
		`"{now in ms}"`, strconv.FormatInt(now.UnixMilli(), 10),
		`{id of now}`, strconv.FormatInt(id, 10),
	).Replace(string(body)))
}

// matches compares an answer with the one that was promised, to the byte but
// for the receipt's id, which it returns.
func (a answer) matches(want answer) (receipt string, ok bool) {
	pattern := strings.Replace(regexp.QuoteMeta(want.body), `\{receipt\}`, `([0-9a-z]{26})`, 1)
	found := regexp.MustCompile(`\A` + pattern + `\z`).FindStringSubmatch(a.body)
	if found == nil || a.status != want.status || a.contentType != want.contentType {
		return "", false
	}
	if len(found) > 1 {
		receipt = found[1]
	}
	return receipt, true
}

// text is the body for a person.
func (a answer) text() string {
	if a.body == "" {
		return "(empty)"
	}
	return strings.TrimSuffix(a.body, "\n")
}
