package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Options changes how a project is loaded.
type Options struct {
	// CheckSchedule says what is wrong with a cron expression in a time zone.
	// Nil accepts every expression.
	CheckSchedule func(expr, timezone string) error
	// Overrides are settings of config.toml from the command line, by key
	// ("gateway.port"). They go before the environment and the file.
	Overrides map[string]string
}

// maxFile bounds what is read of any file. A configuration is a few kilobytes;
// an agent's instructions rarely more than a hundred.
const maxFile = 1 << 20

// Load reads the project in a directory. It reports every problem it can find
// and returns as much of the project as made sense; the project may be used
// when Problems.Err is nil.
func Load(dir string, opts Options) (*Project, Problems) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return &Project{Dir: dir}, Problems{Errorf(Pos{File: dir}, "%v", err)}
	}
	files := newFiles(abs, opts)
	p, problems := load(files, abs, opts)
	p.Files = files
	return p, problems
}

func load(fsys fs.FS, dir string, opts Options) (*Project, Problems) {
	l := &loader{fsys: fsys, opts: opts, project: &Project{Dir: dir}}
	l.loadProject()
	l.loadAgents()
	if note, ok := foreignNote(l.foreign); ok {
		l.problems.add(note)
	}
	return l.project, l.problems.Sorted()
}

type loader struct {
	reader
	fsys    fs.FS
	opts    Options
	project *Project
	// broken: config.toml could not be parsed. What agents miss in it is not
	// their fault then.
	broken bool
}

// read returns a file's bytes; false when it is not there or, after a problem
// was added, can not be read.
func (l *loader) read(name string) ([]byte, bool) {
	pos := Pos{File: name, Line: 1, Column: 1}
	info, err := fs.Stat(l.fsys, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, false
	case err != nil:
		l.fault(pos, "can not be read: %v", bare(err))
		return nil, false
	case !info.Mode().IsRegular():
		l.fault(pos, "must be a file, and is not one")
		return nil, false
	}
	f, err := l.fsys.Open(name)
	if err != nil {
		l.fault(pos, "can not be read: %v", bare(err))
		return nil, false
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		l.fault(pos, "can not be read: %v", bare(err))
		return nil, false
	case len(data) > maxFile:
		l.fault(pos, "is larger than %s", formatSize(maxFile))
		return nil, false
	}
	return data, true
}

// bare drops the path from a file error, since the position has it.
func bare(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

func (l *loader) loadProject() {
	top := Pos{File: projectFile, Line: 1, Column: 1}
	root := newTable(top)
	if data, ok := l.read(projectFile); ok {
		var problems Problems
		root, problems = parseTOML(projectFile, data)
		l.problems = append(l.problems, problems...)
		l.broken = problems.Err() != nil
	} else if len(l.problems) == 0 {
		if _, err := fs.Stat(l.fsys, agentsDir); errors.Is(err, fs.ErrNotExist) {
			l.problems.add(Errorf(top, "there is no project here: neither %s nor a folder %s", projectFile, agentsDir).
				WithFix("name its folder with -p DIR, or make one with al new DIR"))
		}
	} else {
		l.broken = true
	}

	p := l.project
	l.settings(root)
	if p.Timezone = l.timezone(p.Timezone, l.origin(root, "timezone")); p.Timezone == "" {
		p.Timezone = "Local"
	}
	known := keysOf(projectFile, "")
	var instead Runner
	for _, e := range root.entries {
		switch e.key {
		case "harness":
			instead = l.foreignHarness(e)
		case "gateway":
			l.section(e, foreignGatewayKeys())
			l.checkGateway(e)
		case "store":
			l.section(e, nil)
		case "runner":
			p.Runner.Pos = e.value.pos
			l.section(e, nil)
			l.command(e, &p.Runner)
			l.labels(e)
		case "plugins":
			l.section(e, nil)
			l.pluginEnv(e)
		case "webhooks":
			l.sources(e)
		default:
			switch _, isForeign := foreignProjectKeys()[e.key]; {
			case contains(known, e.key):
			case isForeign:
				l.foreign = append(l.foreign, foreign{e.pos, e.key})
				if in := e.value.get("timeout"); e.key == "local" && in != nil {
					l.foreign = append(l.foreign, foreign{in.pos, "local.timeout"})
				}
			default:
				l.unknown(e, e.key, known, agentKeysHere())
			}
		}
	}
	if settingEntry(root, "runner.harness") == nil && p.Runner.Harness != "" {
		p.Runner.Command = nil // a harness from the environment goes before the file
	}
	if len(p.Runner.Command) == 0 && p.Runner.Harness == "" {
		p.Runner = instead
	}
	l.labelsFromEnv()
	l.checkRunner(&p.Runner)
	l.checkStore(root)
	l.checkHost(root)
	l.checkOTLP(root)
	if p.Plugins.Dir != "" && !filepath.IsAbs(p.Plugins.Dir) {
		p.Plugins.Dir = filepath.Join(p.Dir, p.Plugins.Dir)
	}
	// The default is 128 MiB; a larger body must fit all the same.
	if p.Gateway.MaxInflightBytes < p.Gateway.MaxBodyBytes {
		p.Gateway.MaxInflightBytes = p.Gateway.MaxBodyBytes
	}
}

// section checks the keys of a table of settings.
func (l *loader) section(e *entry, foreignKeys map[string]string) {
	table := l.table(e, e.key, fmt.Sprintf("write [%s] and its keys below", e.key))
	if table == nil {
		return
	}
	known := keysOf(projectFile, e.key)
	for _, in := range table.entries {
		key := e.key + "." + in.key
		if _, ok := foreignKeys[in.key]; ok {
			l.foreign = append(l.foreign, foreign{in.pos, key})
		} else if !contains(known, in.key) {
			l.unknown(in, key, known, topKeysHere())
		}
	}
}

// checkGateway looks at what one key alone does not tell.
func (l *loader) checkGateway(e *entry) {
	g := l.project.Gateway
	if in := e.value.get("maxInflightBytes"); in != nil && g.MaxInflightBytes < g.MaxBodyBytes {
		l.problems.add(Errorf(in.value.pos, "gateway.maxInflightBytes is %s, less than one body of gateway.maxBodyBytes (%s)",
			formatSize(g.MaxInflightBytes), formatSize(g.MaxBodyBytes)).WithFix("raise it, or remove it for the default"))
	}
}

func (l *loader) checkOTLP(root *value) {
	endpoint := l.project.Gateway.OTLPEndpoint
	if endpoint == "" {
		return
	}
	at := l.origin(root, "gateway.otlpEndpoint")
	switch u, err := url.Parse(endpoint); {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		l.problems.add(Errorf(at, "gateway.otlpEndpoint is not the address of a collector").
			WithFix(`write "http://HOST:4318" or "https://HOST"; /v1/traces is added to it`))
	case u.User != nil:
		// Not quoted, for there may be a password in it.
		l.problems.add(Errorf(at, "gateway.otlpEndpoint has a name or a password in it").
			WithFix("set the variable OTEL_EXPORTER_OTLP_HEADERS instead"))
	}
}

func (l *loader) checkStore(root *value) {
	at, what := l.origin(root, "store.url"), "store.url"
	if l.project.Store.URLFile != "" {
		if !l.project.Store.URL.IsZero() {
			l.problems.add(Errorf(l.origin(root, "store.urlFile"), "store.url and store.urlFile are both set").
				WithFix("leave one of them"))
			return
		}
		at, what = l.origin(root, "store.urlFile"), "the URL in the file of store.urlFile"
		l.readStoreURL(at)
	}
	url := l.project.Store.URL.Reveal()
	if url == "" || strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://") {
		return
	}
	// The URL may hold a password, so it is not quoted.
	l.problems.add(Errorf(at, `%s must begin with "postgres://"`, what).
		WithFix("remove it to use the database in .al/al.db"))
}

// readStoreURL reads the URL from its own file, which may be anywhere.
func (l *loader) readStoreURL(at Pos) {
	folder, name := l.fsys, filepath.ToSlash(filepath.Clean(l.project.Store.URLFile))
	if !fs.ValidPath(name) { // not in the project
		file := l.project.Store.URLFile
		if !filepath.IsAbs(file) {
			file = filepath.Join(l.project.Dir, file)
		}
		folder, name = os.DirFS(filepath.Dir(file)), filepath.Base(file)
	}
	raw, mode, err := readSmall(folder, name)
	switch url := strings.TrimSpace(string(raw)); {
	case err != nil:
		l.problems.add(Errorf(at, "the file of store.urlFile can not be read: %v", bare(err)))
	case url == "":
		l.problems.add(Errorf(at, "the file of store.urlFile is empty").WithFix("write the URL into it"))
	default:
		l.project.Store.URL = NewSecret(url)
		if mode.IsRegular() && mode.Perm()&0o077 != 0 {
			l.problems.add(Warnf(at, "others on this machine may read the file of store.urlFile (mode %04o)", mode.Perm()).
				WithFix("chmod 600 %s", l.project.Store.URLFile))
		}
	}
}

// readSmall reads a file that is expected to hold a line.
func readSmall(folder fs.FS, name string) ([]byte, fs.FileMode, error) {
	f, err := folder.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxFile))
	return raw, info.Mode(), err
}

// hostName is a name or an address that has no port and no scheme with it.
var hostName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

func (l *loader) checkHost(root *value) {
	host := l.project.Gateway.Host
	if _, err := netip.ParseAddr(host); err == nil || hostName.MatchString(host) {
		return
	}
	p := Errorf(l.origin(root, "gateway.host"), "gateway.host is not an address: %q", shorten(host))
	if name, port, err := net.SplitHostPort(host); err == nil {
		p = p.WithFix("write host = %q and port = %s", name, shorten(port))
	} else {
		p = p.WithFix(`write "127.0.0.1", or "0.0.0.0" to be reachable from other machines`)
	}
	l.problems.add(p)
}

// command reads the one key of a runner that is a list.
func (l *loader) command(e *entry, r *Runner) {
	in := e.value.get("command")
	if in == nil {
		return
	}
	if in.value.kind == textKind {
		l.problems.add(Errorf(in.value.pos, "runner.command must be a list of strings, got string").
			WithFix("write each word as a string of its own: %s", quoted(strings.Fields(in.value.text))))
		return
	}
	words, ok := l.texts(in, "runner.command", false)
	switch {
	case !ok:
	case len(words) == 0:
		l.problems.add(Errorf(in.value.pos, "runner.command is empty").WithFix(`name a program: ["claude", "-p"]`))
	case strings.TrimSpace(words[0]) == "":
		l.problems.add(Errorf(in.value.pos, "runner.command[0] is empty").WithFix(`name a program: ["claude", "-p"]`))
	default:
		r.Command = words
	}
}

// quoted writes words as a list in TOML.
func quoted(words []string) string {
	out := make([]string, 0, len(words))
	for _, w := range words {
		out = append(out, strconv.Quote(shorten(w)))
	}
	return "[" + strings.Join(out, ", ") + "]"
}

func (l *loader) checkRunner(r *Runner) {
	if len(r.Command) > 0 && r.Harness != "" {
		l.problems.add(Errorf(r.Pos, "runner has both command and harness %q", shorten(r.Harness)).
			WithFix("remove one of the two; a harness is a command that al knows by name"))
	}
}

// variableName is what POSIX allows for the name of a variable.
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (l *loader) pluginEnv(e *entry) {
	in := e.value.get("env")
	table := l.table(in, "plugins.env", `write [plugins.env] and below it type = ["NAME"]`)
	if table == nil {
		return
	}
	l.project.Plugins.Env = map[string][]string{}
	for _, of := range table.entries {
		path := "plugins.env." + of.key
		if !typeName.MatchString(of.key) {
			l.fault(of.pos, "%s: %q can not be a provider's type, which has lower-case letters, digits and \"-\"", path, of.key)
		}
		names, ok := l.texts(of, path, true)
		if !ok {
			continue
		}
		for i, name := range names {
			if !variableName.MatchString(name) {
				l.problems.add(Errorf(of.value.pos, "%s[%d] is not the name of an environment variable: %q", path, i, shorten(name)).
					WithFix("write the name alone; the value is taken from the environment of al"))
			}
		}
		l.project.Plugins.Env[of.key] = names
	}
}

// timezone returns the zone if there is one by that name, and else "" after
// saying so.
func (l *loader) timezone(name string, pos Pos) string {
	if name == "" {
		return ""
	}
	if _, err := time.LoadLocation(name); err == nil {
		return name
	}
	l.problems.add(Errorf(pos, "timezone: no such zone: %q", shorten(name)).
		WithFix(`use a name such as "Europe/Berlin" or "UTC"`))
	return ""
}

// agentKeysHere maps keys that belong into an agent's file to that advice.
func agentKeysHere() map[string]string {
	out := map[string]string{}
	for _, key := range keysOf(anyAgent, "") {
		out[key] = "it belongs in " + anyAgent
	}
	return out
}

// topKeysHere maps keys that belong above all sections to that advice: TOML
// gives a key to the section above it.
func topKeysHere() map[string]string {
	out := map[string]string{}
	for _, s := range projectSettings() {
		if !strings.Contains(s.key, ".") {
			out[s.key] = "move the line above the first [section]"
		}
	}
	return out
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// agentPath is a file of an agent, relative to the project.
func agentPath(name, file string) string { return path.Join(agentsDir, name, file) }
