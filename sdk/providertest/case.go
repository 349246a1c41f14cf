package providertest

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/action-llama/gateway/sdk"
)

// The names of the files in a case.
const (
	requestFile  = "request.http"
	bodyFile     = "body.base64"
	secretsFile  = "secrets"
	settingsFile = "settings"
	optionsFile  = "options"
	filtersFile  = "filters"
	wantFile     = "want.json"

	caseSuffix = ".txtar"
)

// DefaultReceivedAt is when the request of a case arrived, unless the case says
// otherwise.
func DefaultReceivedAt() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// Case is one request and what must become of it.
type Case struct {
	// Name of the case: its file's, without extension.
	Name string
	// Request as the host hands it over.
	Request sdk.Request
	// Secrets of the sources, in the order of the file.
	Secrets []sdk.Secret
	// AllowUnsigned is [sdk.DeliverOptions.AllowUnsigned].
	AllowUnsigned bool

	settings  []writtenSetting
	filters   []filterLine
	published string   // what of it is not ours to change; empty for nothing
	unknown   bool     // it has values that the descriptor does not know, on purpose
	want      *outcome // nil as long as nobody wrote one
	archive   *txtar.Archive
	path      string
}

// ReadCases reads every case in a folder, in the order of their names.
func ReadCases(dir string) ([]*Case, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*"+caseSuffix))
	if err != nil {
		return nil, fmt.Errorf("cases in %s: %w", dir, err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("cases in %s: there is no file *%s; write one as package providertest describes", dir, caseSuffix)
	}
	cases := make([]*Case, 0, len(paths))
	var faults []error
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read case: %w", err)
		}
		c, err := ParseCase(strings.TrimSuffix(filepath.Base(path), caseSuffix), data)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		c.path = path
		cases = append(cases, c)
	}
	return cases, errors.Join(faults...)
}

// ParseCase reads one case from the text of its file.
func ParseCase(name string, data []byte) (*Case, error) {
	c := &Case{Name: name, archive: txtar.Parse(data)}
	c.Request.ReceivedAt = DefaultReceivedAt()
	seen := map[string]bool{}
	for _, file := range c.archive.Files {
		var err error
		switch file.Name {
		case requestFile:
			err = c.readRequest(file.Data)
		case bodyFile: // after the request, which would take it for empty
		case secretsFile:
			err = c.readSecrets(file.Data)
		case settingsFile:
			err = c.readSettings(file.Data)
		case optionsFile:
			err = c.readOptions(file.Data)
		case filtersFile:
			c.filters, err = readFilterLines(file.Data)
		case wantFile:
			c.want, err = readOutcome(file.Data)
		default:
			err = errors.New("no file of a case has this name")
		}
		if err == nil && seen[file.Name] {
			err = errors.New("it is there twice")
		}
		if err != nil {
			return nil, fmt.Errorf("case %s: %s: %w", name, file.Name, err)
		}
		seen[file.Name] = true
	}
	if !seen[requestFile] {
		return nil, fmt.Errorf("case %s: %s is missing", name, requestFile)
	}
	if err := c.readBody(); err != nil {
		return nil, fmt.Errorf("case %s: %s: %w", name, bodyFile, err)
	}
	return c, nil
}

func (c *Case) readRequest(data []byte) error {
	head, body, _ := bytes.Cut(data, []byte("\n\n"))
	text := append(bytes.TrimRight(head, "\n"), "\n\n"...)
	parsed, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
	if err != nil {
		return fmt.Errorf("%w; it begins with a line like \"POST /webhooks/%s HTTP/1.1\", then headers, an empty line and the body", err, "<type>")
	}
	c.Request.Method = parsed.Method
	c.Request.Path = parsed.URL.Path
	c.Request.Query = parsed.URL.RawQuery
	c.Request.Header = parsed.Header
	c.Request.Body = bytes.Clone(bytes.TrimSuffix(body, []byte("\n")))
	return nil
}

func (c *Case) readBody() error {
	text := c.file(bodyFile)
	if text == nil {
		return nil
	}
	if len(c.Request.Body) > 0 {
		return fmt.Errorf("%s has a body, too", requestFile)
	}
	body, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", ""))
	c.Request.Body = body
	return err
}

func (c *Case) readSecrets(data []byte) error {
	return eachLine(data, func(line string) error {
		who, field, ok := strings.Cut(line, " ")
		name, value, isField := strings.Cut(field, "=")
		if !ok || !isField || name == "" {
			return errors.New("not \"source field=value\"")
		}
		source, instance, _ := strings.Cut(who, "/")
		if instance == "" {
			instance = "default"
		}
		i := slices.IndexFunc(c.Secrets, func(s sdk.Secret) bool { return s.Source == source && s.Instance == instance })
		if i < 0 {
			i = len(c.Secrets)
			c.Secrets = append(c.Secrets, sdk.Secret{Source: source, Instance: instance, Fields: map[string]string{}})
		}
		if _, twice := c.Secrets[i].Fields[name]; twice {
			return fmt.Errorf("source %s has field %s already; another credential of it is \"%s/other\"", source, name, source)
		}
		c.Secrets[i].Fields[name] = value
		return nil
	})
}

func (c *Case) readOptions(data []byte) error {
	return eachLine(data, func(line string) (err error) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch key {
		case "receivedAt":
			c.Request.ReceivedAt, err = time.Parse(time.RFC3339, value)
		case "allowUnsigned":
			c.AllowUnsigned, err = strconv.ParseBool(value)
		case "unknown":
			c.unknown, err = strconv.ParseBool(value)
		case "published":
			c.published = value
			if value != publishedSignature && value != publishedReply {
				err = fmt.Errorf("what is published is the %s or the %s", publishedSignature, publishedReply)
			}
		default:
			err = errors.New("options are receivedAt, allowUnsigned, published and unknown")
		}
		return err
	})
}

// eachLine leaves out empty lines and comments.
func eachLine(data []byte, read func(line string) error) error {
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" || line[0] == '#' {
			continue
		}
		if err := read(line); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return nil
}

func (c *Case) file(name string) []byte {
	for _, file := range c.archive.Files {
		if file.Name == name {
			return file.Data
		}
	}
	return nil
}

func (c *Case) setFile(name string, data []byte) {
	for i, file := range c.archive.Files {
		if file.Name == name {
			c.archive.Files[i].Data = data
			return
		}
	}
	c.archive.Files = append(c.archive.Files, txtar.File{Name: name, Data: data})
}

// What may be published of a case.
const (
	publishedSignature = "signature"
	publishedReply     = "reply"
)

// lost says what is wrong if an outcome is not what a published part of the
// case makes of it.
func (c *Case) lost(o *outcome) string {
	switch c.published {
	case publishedSignature:
		if len(o.Which) == 0 {
			return "its published signature is not accepted; a secret, the time of receipt, a byte of the body or the provider is wrong"
		}
	case publishedReply:
		if o.Reply == nil {
			return "it has no reply, and says that one is published"
		}
		if c.want != nil && !reflect.DeepEqual(c.want.Reply, o.Reply) {
			return "the reply is not the published one"
		}
	}
	return ""
}

// signs says that one of the secrets signs the request, as far as is known.
func (c *Case) signs() bool {
	if c.want == nil {
		return !c.AllowUnsigned && len(c.Secrets) > 0
	}
	return len(c.want.Which) > 0
}

// accepted says that the request is one that a secret signs, and understood.
func (c *Case) accepted() bool { return c.want != nil && len(c.want.Which) > 0 && c.want.Error == "" }

// setHeaders writes headers that changed into the text of the request, in
// their places, new ones at the end.
func (c *Case) setHeaders(changed http.Header) {
	head, body, _ := bytes.Cut(c.file(requestFile), []byte("\n\n"))
	lines := strings.Split(strings.TrimRight(string(head), "\n"), "\n")
	names := make([]string, 0, len(changed))
	for name := range changed {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		i := slices.IndexFunc(lines, func(line string) bool {
			key, _, ok := strings.Cut(line, ":")
			return ok && strings.EqualFold(key, name)
		})
		line := name + ": " + changed.Get(name)
		if i < 0 {
			lines = append(lines, line)
			continue
		}
		key, _, _ := strings.Cut(lines[i], ":") // in the vendor's spelling
		lines[i] = key + line[len(name):]
	}
	text := strings.Join(lines, "\n") + "\n\n" + string(body)
	c.setFile(requestFile, []byte(text))
}

// write puts the case back into its file.
func (c *Case) write() error {
	if c.path == "" {
		return fmt.Errorf("case %s comes from no file", c.Name)
	}
	if err := os.WriteFile(c.path, txtar.Format(c.archive), 0o644); err != nil { //nolint:gosec // it is a source file
		return fmt.Errorf("write case: %w", err)
	}
	return nil
}
