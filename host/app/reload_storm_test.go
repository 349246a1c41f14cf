package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/app"
	"github.com/action-llama/gateway/host/pluginhost"
	"github.com/action-llama/gateway/sdk"
)

// doors are a provider whose deliveries have three events, of three doors, and
// which answers nobody once it is closed.
type doors struct {
	bell
	typ    string
	closed *atomic.Bool
	hold   func(body string) // before a delivery is read
}

func (d doors) Describe() sdk.Descriptor {
	out := d.bell.Describe()
	out.Type = d.typ
	return out
}

func (d doors) Parse(_ context.Context, req sdk.Request) ([]sdk.Event, error) {
	if d.hold != nil {
		d.hold(string(req.Body))
	}
	if d.closed.Load() {
		return nil, errors.New("asked after its end")
	}
	var events []sdk.Event
	for _, door := range []string{"front", "back", "side"} {
		events = append(events, sdk.Event{Name: "ring", DeliveryID: string(req.Body), Attributes: map[string][]string{"door": {door}}})
	}
	return events, nil
}

// house starts doors and closes them.
type house struct {
	hold func(body string)
	mu   sync.Mutex
	all  map[string]doors
}

func (h *house) Start(_ context.Context, types []string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all == nil {
		h.all = map[string]doors{}
	}
	for _, typ := range types {
		if _, ok := h.all[typ]; !ok {
			h.all[typ] = doors{typ: typ, closed: new(atomic.Bool), hold: h.hold}
		}
	}
	return nil
}

func (h *house) Remove(types []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, typ := range types {
		if d, ok := h.all[typ]; ok {
			d.closed.Store(true)
			delete(h.all, typ)
		}
	}
}

func (h *house) Get(typ string) (sdk.Provider, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d, ok := h.all[typ]; ok {
		return d, nil
	}
	return nil, fmt.Errorf("provider %s was not started", typ)
}

func (h *house) Status() []pluginhost.Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []pluginhost.Status
	for typ := range h.all {
		out = append(out, pluginhost.Status{Type: typ, State: pluginhost.Up})
	}
	return out
}

func (h *house) Stop(context.Context) error { return nil }

// answer of the gateway to a delivery.
type answer struct {
	Code    int
	Body    string
	Matched int `json:"matched"`
	Queued  int `json:"queued"`
	Dropped int `json:"dropped"`
}

func send(ctx context.Context, a *app.App, typ, id string) (answer, error) {
	var out answer
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL()+"/webhooks/"+typ, strings.NewReader(id))
	if err != nil {
		return out, err
	}
	req.Header.Set("X-Sig", sdk.SignHMACSHA256("", "ding", []byte(id)))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return out, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return out, err
	}
	out.Code, out.Body = resp.StatusCode, string(raw)
	if out.Code == http.StatusOK {
		err = json.Unmarshal(raw, &out)
	}
	return out, err
}

// storm is a gateway that reloads by itself, as fast as it can, while deliveries
// pour in.
type storm struct {
	app.Options
	a    *app.App
	c    *api.Client
	sent atomic.Int64 // that a job was queued for
}

const edits = 1000

func newStorm(t *testing.T, project string, providers app.Providers) *storm {
	t.Helper()
	o := options(t, project, providers)
	o.Timing = app.Timing{Quiet: time.Millisecond, Patience: 5 * time.Millisecond, Poll: time.Hour, Settle: time.Microsecond}
	return &storm{Options: o}
}

// patient is for projects whose jobs wait, all of them, behind one run that does
// not end: so they can be counted, and cost nothing.
const patient = "workQueueSize = 1000000\n[gateway]\nshutdownGrace = 0\n"

// begin starts the gateway with a config.toml.
func (s *storm) begin(t *testing.T, text string) {
	t.Helper()
	rewrite(t, s.Options, "config.toml", text)
	p, problems := s.Project.Files.Load()
	must(t, problems.Err())
	s.Project = p
	s.a = run(t, s.Options)
	s.c = client(t, s.a, s.Options)
}

// rage has two senders send while the edits are made, and waits for an answer
// after every tenth edit, so that there are answers of all of its time. check is
// told of every answer.
func (s *storm) rage(t *testing.T, edit func(i int), check func(answer) string) {
	t.Helper()
	n := edits
	if testing.Short() {
		n /= 10
	}
	one := func(typ, id string) {
		got, err := send(t.Context(), s.a, typ, id)
		if err != nil {
			t.Errorf("delivery %s: %v", id, err)
			return
		}
		s.sent.Add(int64(got.Queued))
		if wrong := check(got); wrong != "" {
			t.Errorf("delivery %s: %s: %d %s", id, wrong, got.Code, got.Body)
		}
	}
	done := make(chan struct{})
	var senders sync.WaitGroup
	for sender := range 2 {
		senders.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
					one("bell", fmt.Sprintf("%d/%d", sender, i))
				}
			}
		})
	}
	for i := range n {
		edit(i)
		if i%10 == 0 {
			one("bell", fmt.Sprintf("edit/%d", i))
		}
		if i%100 == 99 {
			s.settled(t) // now and then all of it has to be taken up
		}
		if t.Failed() {
			break
		}
	}
	close(done)
	senders.Wait()
}

// settled waits for the gateway to go by what is on the disk.
func (s *storm) settled(t *testing.T) {
	t.Helper()
	p, problems := s.Project.Files.Load()
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	want := p.Files.Digest()
	await(t, "the last edit", func() (api.Status, error) { return s.c.Status(t.Context()) },
		func(s api.Status) bool { return s.Config.Digest == want && s.Config.Error == "" })
}

func (s *storm) reloads(t *testing.T) string {
	t.Helper()
	_, body := get(t, s.a.URL()+"/metrics", "")
	var out []string
	for line := range strings.SplitSeq(body, "\n") {
		if strings.HasPrefix(line, "al_config_reloads_total") {
			out = append(out, strings.TrimPrefix(line, "al_config_reloads_total"))
		}
	}
	return strings.Join(out, " ")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// An agent's triggers are edited a thousand times, in every way in which programs
// write files, so that they fit one door or another. In between the file is cut
// off where it makes no sense. Each delivery has an event of either door, and one
// that fits neither: whatever moment it comes in, exactly one of them matches.
func TestRapidEdits(t *testing.T) {
	t.Parallel()
	const trigger = "[[webhooks]]\nsource = \"home\"\ndoors = "
	text := [2]string{trigger + "[\"front\"]\n", trigger + "[\"back\"]\n"}
	cut := func(text string) string { return text[:len(trigger)+len("[\"fr")] }
	put := func(t *testing.T, file, text string) { must(t, os.WriteFile(file, []byte(text), 0o600)) }

	for name, edit := range map[string]func(t *testing.T, file string, i int, text string){
		"write in place": func(t *testing.T, file string, _ int, text string) {
			f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
			must(t, err)
			half := cut(text)
			_, err = f.WriteString(half)
			must(t, err)
			_, err = f.WriteString(text[len(half):])
			must(t, errors.Join(err, f.Close()))
		},
		"write and rename": func(t *testing.T, file string, i int, text string) {
			if i%3 == 1 { // a program that was killed while it wrote
				put(t, file, cut(text))
			}
			put(t, file+".tmp", text)
			must(t, os.Rename(file+".tmp", file))
		},
		"remove and create": func(t *testing.T, file string, i int, text string) {
			must(t, os.Remove(file))
			if i%3 == 1 {
				put(t, file, cut(text))
				must(t, os.Remove(file))
			}
			put(t, file, text)
		},
		"swap a link": func(t *testing.T, file string, i int, text string) {
			dir := filepath.Dir(file)
			version := fmt.Sprintf("..v%d", i)
			must(t, os.Mkdir(filepath.Join(dir, version), 0o700))
			put(t, filepath.Join(dir, version, filepath.Base(file)), cut(text))
			if i%3 == 1 {
				must(t, os.Symlink(version, filepath.Join(dir, "..tmp")))
				must(t, os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")))
			}
			put(t, filepath.Join(dir, version, filepath.Base(file)), text)
			must(t, os.Symlink(version, filepath.Join(dir, "..tmp")))
			must(t, os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")))
			if i > 1 {
				must(t, os.RemoveAll(filepath.Join(dir, fmt.Sprintf("..v%d", i-2))))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStorm(t, standard, &house{})
			file := filepath.Join(s.Project.Dir, "agents/dev/config.toml")
			rewrite(t, s.Options, "agents/dev/config.toml", text[0])
			if name == "swap a link" {
				dir := filepath.Dir(file)
				must(t, os.Mkdir(filepath.Join(dir, "..first"), 0o700))
				must(t, os.Rename(file, filepath.Join(dir, "..first/config.toml")))
				must(t, os.Symlink("..first", filepath.Join(dir, "..data")))
				must(t, os.Symlink("..data/config.toml", file))
			}
			s.begin(t, patient+standard+waiter(t, s.Options))
			s.rage(t, func(i int) { edit(t, file, i, text[(i+1)%2]) }, func(got answer) string {
				if got.Code != 200 || got.Matched != 1 || got.Queued != 1 || got.Dropped != 0 {
					return "not matched as one of the two"
				}
				return ""
			})
			s.settled(t)
			t.Log(s.reloads(t))
			dev, _ := agentOf(t, s.c, "dev")
			if int64(dev.Waiting+dev.Running) != s.sent.Load() {
				t.Errorf("%d jobs wait or run of %d that were accepted", dev.Waiting+dev.Running, s.sent.Load())
			}
		})
	}
}

// Sources, and the providers that they need, come and go a thousand times: a
// delivery to one that is there is answered, whatever comes and goes beside it,
// and one to another never by something that has gone already.
func TestRapidEditsOfSources(t *testing.T) {
	t.Parallel()
	s := newStorm(t, standard, &house{})
	near := patient + standard + waiter(t, s.Options)
	far := near + "[webhooks.far]\ntype = \"gong\"\ncredential = \"bell_secret:home\"\n"
	s.begin(t, near)
	s.rage(t, func(i int) {
		rewrite(t, s.Options, "config.toml", []string{far, near}[i%2])
		if i%10 != 0 {
			return
		}
		got, err := send(t.Context(), s.a, "gong", fmt.Sprint("gong/", i))
		if err != nil || (got.Code != 200 && got.Code != 404) {
			t.Errorf("a source that may be there: %+v, %v", got, err)
		}
	}, func(got answer) string {
		if got.Code != 200 || got.Matched != 3 {
			return "not taken"
		}
		return ""
	})
	rewrite(t, s.Options, "config.toml", near)
	s.settled(t)
	await(t, "the end of the provider", func() (int, error) { return len(s.Providers.Status()), nil }, func(n int) bool { return n == 1 })
}

// An agent is removed and comes back while its jobs are claimed: none of them
// fails for it, and in the end all have run.
func TestAgentsComeAndGoWhileTheyWork(t *testing.T) {
	t.Parallel()
	s := newStorm(t, manual, &house{})
	s.begin(t, manual+quick)
	dev, gone := filepath.Join(s.Project.Dir, "agents/dev"), filepath.Join(s.Project.Dir, "dev")
	reload := func() {
		t.Helper()
		if out, err := s.c.Reload(t.Context()); err != nil || !out.OK {
			t.Fatalf("%+v, %v", out, err)
		}
	}
	for i := range 30 {
		for j := range 3 {
			if _, err := send(t.Context(), s.a, "bell", fmt.Sprintf("%d/%d", i, j)); err != nil {
				t.Fatal(err)
			}
		}
		must(t, os.Rename(dev, gone))
		reload()
		must(t, os.Rename(gone, dev))
		reload()
	}
	await(t, "all of them", func() (api.AgentStatus, error) { a, _ := agentOf(t, s.c, "dev"); return a, nil },
		func(a api.AgentStatus) bool { return a.Running+a.Waiting == 0 })
	runs, err := s.c.Runs(t.Context(), api.RunsQuery{Agent: "dev", Limit: 1000})
	must(t, err)
	states := map[api.RunState]int{}
	for _, r := range runs {
		states[r.State]++
		if r.State == api.RunFailed {
			t.Errorf("run %+v", r)
		}
	}
	t.Logf("runs: %v", states)
}
