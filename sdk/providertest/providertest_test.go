package providertest_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providertest"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

// TestMain lets the test binary be the provider that it tests: started as a
// provider, it is the mutant that its folder is named after.
func TestMain(m *testing.M) {
	if os.Getenv(sdk.Handshake().MagicCookieKey) == "" {
		os.Exit(m.Run())
	}
	mode := filepath.Base(filepath.Dir(os.Args[0]))
	if mode == "talks" {
		fmt.Println("hello")
	}
	sdk.Serve(served(mode))
}

// binary returns a path under which this test is a provider.
func binary(t *testing.T, mode string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), mode)
	path := filepath.Join(dir, sdk.BinaryPrefix+"bell")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAGoodProviderPasses(t *testing.T) {
	providertest.Run(t, providertest.Options{
		New:    func() sdk.Provider { return bell{} },
		Binary: binary(t, "good"),
		Update: *update,
		Sign:   signBell,
		Events: []string{"ring", "knock"},
		Short:  testing.Short(),
	})
}

// A tool has no Options.Sign, and finds out for itself.
func TestAGoodProviderPassesWithoutSign(t *testing.T) {
	t.Parallel()
	s := suite(t)
	s.Sign, s.Short = nil, true
	for _, f := range s.Check(t.Context(), providertest.Direct(bell{})) {
		t.Error(f)
	}
}

func suite(t *testing.T) *providertest.Suite {
	t.Helper()
	cases, err := providertest.ReadCases("testdata")
	if err != nil {
		t.Fatal(err)
	}
	return &providertest.Suite{Cases: cases, Sign: signBell, Events: []string{"ring"}}
}

// What a vendor really sent is often not there: then there is nothing to test.
func TestPayloads(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"ring.front.json": "{}", "ring.json": `{"door":1}`, "read.me": "no"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if all := providertest.Payloads(t, dir); len(all) != 2 || string(all["ring.front"]) != "{}" || string(all["ring"]) != `{"door":1}` {
		t.Errorf("%s", all)
	}
	t.Run("none", func(t *testing.T) {
		providertest.Payloads(t, filepath.Join(dir, "nothing"))
		t.Error("not skipped")
	})
}

// recorder is a T that keeps what it is told.
type recorder struct {
	ctx    context.Context
	name   string
	said   *[]string
	fatals int
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) Errorf(format string, args ...any) {
	*r.said = append(*r.said, r.name+": "+fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.fatals++
	r.Errorf(format, args...)
}

func (r *recorder) Run(name string, f func(*recorder)) bool {
	before := len(*r.said)
	f(&recorder{ctx: r.ctx, name: r.name + "/" + name, said: r.said})
	return len(*r.said) == before
}

func recorded(t *testing.T, o providertest.Options) []string {
	t.Helper()
	r := &recorder{ctx: t.Context(), said: new([]string)}
	providertest.Run(r, o)
	return *r.said
}

func TestRunFailsTheTest(t *testing.T) {
	t.Parallel()
	good := func() sdk.Provider { return bell{} }
	tests := map[string]struct {
		options providertest.Options
		want    string
	}{
		"no provider":        {providertest.Options{}, "Options.New is missing"},
		"no cases":           {providertest.Options{New: good, Cases: t.TempDir()}, "there is no file *.txtar"},
		"no such binary":     {providertest.Options{New: good, Binary: "testdata/nothing"}, "no such file"},
		"package is wrong":   {providertest.Options{New: good, Package: "./nothing"}, "go build ./nothing"},
		"event without case": {providertest.Options{New: good, Events: []string{"burgle"}}, `: events: no case has the event "burgle"`},
		"talks on stdout":    {providertest.Options{New: good, Binary: binary(t, "talks")}, "sdk.Serve has to be the first call of main"},
		"another descriptor": {providertest.Options{New: good, Binary: binary(t, "described")}, "it is not that of Options.New (Name)"},
		"a failing case": {providertest.Options{New: func() sdk.Provider { return mutants()["accepts all"].provider }},
			"/direct/ring.front: direct: ring.front: signature: no signature header at all: the request is accepted"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.options.Short = true
			said := strings.Join(recorded(t, tt.options), "\n")
			if !strings.Contains(said, tt.want) {
				t.Errorf("said %q, want %q in it", said, tt.want)
			}
		})
	}
}

func TestUpdateWritesWhatTheProviderDoes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "new.txtar")
	text := "-- request.http --\nPOST /webhooks/bell HTTP/1.1\nx-bell-signature: later\n\n{\"door\":\"front\"}\n-- secrets --\nhome secret=ding dong of home\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o := providertest.Options{New: func() sdk.Provider { return bell{} }, Cases: dir, Sign: signBell, Short: true}
	if said := strings.Join(recorded(t, o), "\n"); !strings.Contains(said, "want.json is missing") {
		t.Errorf("a case without expectation: %s", said)
	}
	o.Update = true
	said := strings.Join(recorded(t, o), "\n")
	if strings.Contains(said, "direct: new:") {
		t.Errorf("after the update: %s", said)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const head = "-- request.http --\nPOST /webhooks/bell HTTP/1.1\nx-bell-signature: "
	if !strings.HasPrefix(string(got), head+"sha256=") ||
		!strings.Contains(string(got), "\nX-Bell-Timestamp: 1767225600\n\n{\"door\":\"front\"}\n-- secrets --\n") ||
		!strings.Contains(string(got), "\"event\": \"ring\"") {
		t.Errorf("the file is now\n%s", got)
	}
	again := fmt.Sprint(recorded(t, o))
	after, err := os.ReadFile(path)
	if err != nil || string(after) != string(got) {
		t.Errorf("a second update changes the file (%v, %s)", err, again)
	}
}

// What a vendor published is the one thing in a case that nobody here made up.
func TestUpdateKeepsWhatIsPublished(t *testing.T) {
	t.Parallel()
	good := func() sdk.Provider { return bell{} }
	for name, tt := range map[string]struct{ file, old, new, want string }{
		"as it is":           {"ring.published", "", "", ""},
		"another signature":  {"ring.published", "sha256=", "sha256=0", "case ring.published: its published signature is not accepted"},
		"another body":       {"ring.published", "side", "front", "case ring.published: its published signature is not accepted"},
		"another reply":      {"echo", `"body": "are you there?"`, `"body": "who is there?"`, "case echo: the reply is not the published one"},
		"a reply as it is":   {"echo", "", "", ""},
		"no reply to expect": {"knock", "-- secrets --", "-- options --\npublished: reply\n-- secrets --", "case knock: it has no reply, and says that one is published"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join("testdata", tt.file+".txtar"))
			if err != nil {
				t.Fatal(err)
			}
			before := strings.Replace(string(text), tt.old, tt.new, 1)
			dir := t.TempDir()
			path := filepath.Join(dir, tt.file+".txtar")
			if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
			said := strings.Join(recorded(t, providertest.Options{New: good, Cases: dir, Sign: signBell, Short: true, Update: true}), "\n")
			if tt.want == "" && strings.Contains(said, "update:") || !strings.Contains(said, tt.want) {
				t.Errorf("said %q, want %q in it", said, tt.want)
			}
			after, err := os.ReadFile(path)
			if err != nil || string(after) != before {
				t.Errorf("the file was changed: %v\n%s", err, after)
			}
		})
	}
}

// Without an update, too.
func TestAPublishedSignatureHasToBeOneThatVerifies(t *testing.T) {
	t.Parallel()
	c, err := providertest.ParseCase("x", []byte("-- request.http --\nPOST / HTTP/1.1\n\n{}\n-- options --\npublished: signature\n-- want.json --\n{\"error\": \"bad signature\"}\n"))
	if err != nil {
		t.Fatal(err)
	}
	s := &providertest.Suite{Cases: []*providertest.Case{c}}
	if said := fmt.Sprint(s.CheckCases(bell{}.Describe())); !strings.Contains(said, "x: case: its published signature is not accepted") {
		t.Error(said)
	}
}

// Each filter has to be shown: passing, holding back, and at a loss.
func TestFiltersThatNoCaseShowsAreNamed(t *testing.T) {
	t.Parallel()
	for remove, want := range map[string]string{
		`pass doors`:               `filter "doors" looks at attribute "door": no case has a line "pass doors = ..."`,
		`hold doors = ["back"]`:    `filter "doors" looks at attribute "door": no case has a line "hold doors = ..."`,
		`hold doors = ["front"]`:   `filter "doors" looks at attribute "door": no case says what becomes of an event without it; add a line "hold doors = ..." to one`,
		`pass visitor = "anybody"`: `filter "visitor" looks at attribute "visitor": no case says what becomes of an event without it; add a line "pass visitor = ..." to one`,
		`hold events`:              `filter "events" looks at attribute "event": no case has a line "hold events = ..."`,
	} {
		s := withoutLines(t, remove)
		if said := fmt.Sprint(s.CheckCases(bell{}.Describe())); !strings.Contains(said, want) {
			t.Errorf("without %q it says %q, want %q in it", remove, said, want)
		}
	}
	// The only line that names Robot looks at two attributes.
	if said := fmt.Sprint(withoutLines(t, "pass visitor").CheckCases(bell{}.Describe())); !strings.Contains(said, `filter "visitor" has the opt-in value "Robot"; let a case show an event with it`) {
		t.Error(said)
	}
	s := suite(t)
	s.AlwaysPresent = map[string]string{"door": "a bell has one"}
	if said := fmt.Sprint(s.CheckCases(bell{}.Describe())); !strings.Contains(said, "an event of a case lacks it, so Options.AlwaysPresent is wrong") {
		t.Error(said)
	}
	s = suite(t)
	always := s.Cases[:0]
	for _, c := range s.Cases {
		if strings.HasPrefix(c.Name, "ring") {
			always = append(always, c)
		}
	}
	s.Cases = always
	d := bell{}.Describe()
	if said := fmt.Sprint(s.CheckCases(d)); !strings.Contains(said, `attribute "door": every event has it; add a case without, or say why there is none`) {
		t.Error(said)
	}
	s.AlwaysPresent = map[string]string{"door": "a bell has one"}
	if said := fmt.Sprint(s.CheckCases(d)); strings.Contains(said, `attribute "door"`) {
		t.Error(said)
	}
}

// withoutLines is the suite without lines that begin so, and without what the
// cases say of several filters at once.
func withoutLines(t *testing.T, prefix string) *providertest.Suite {
	t.Helper()
	s := suite(t)
	for i, c := range s.Cases {
		text, err := os.ReadFile(filepath.Join("testdata", c.Name+".txtar"))
		if err != nil {
			t.Fatal(err)
		}
		var kept []string
		for line := range strings.Lines(string(text)) {
			if !strings.HasPrefix(line, prefix) && strings.Count(line, " = ") < 2 {
				kept = append(kept, line)
			}
		}
		if s.Cases[i], err = providertest.ParseCase(c.Name, []byte(strings.Join(kept, ""))); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// A handshake that signs what strangers choose signs bodies for them.
func TestForgeableBodiesHaveToBeRefused(t *testing.T) {
	t.Parallel()
	careful := bell{verify: func(req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
		which, err := goodVerify(req, secrets)
		if err == nil && isWord(req.Body) {
			return nil, sdk.ErrBadSignature
		}
		return which, err
	}}
	s := suite(t)
	s.Short = true
	if said := fmt.Sprint(s.Check(t.Context(), providertest.Direct(careful))); !strings.Contains(said, "what a signature covers and nobody understands is sdk.ErrUnparseable") {
		t.Errorf("not told that bodies are forgeable: %s", said)
	}
	s.Forgeable = isWord
	for _, f := range s.Check(t.Context(), providertest.Direct(careful)) {
		t.Error(f)
	}
	const want = "a body that is only null, properly signed: refused with \"unparseable: body is not an object\" instead of sdk.ErrBadSignature"
	if said := fmt.Sprint(s.Check(t.Context(), providertest.Direct(bell{}))); !strings.Contains(said, want) {
		t.Errorf("a provider that takes them: %s", said)
	}
}

func isWord(body []byte) bool {
	return len(body) > 0 && len(bytes.Trim(body, "abcdefghijklmnopqrstuvwxyz0123456789")) == 0
}

func TestAFaultyCaseIsNamedWithItsPlace(t *testing.T) {
	t.Parallel()
	const request = "-- request.http --\nGET / HTTP/1.1\n\n"
	for text, want := range map[string]string{
		"":                                "request.http is missing",
		"-- request.http --\nhello\n":     "it begins with a line like",
		request + "-- wants.json --\n{}":  "wants.json: no file of a case has this name",
		request + "-- secrets --\nhome\n": "secrets: line 1: not \"source field=value\"",
		request + "-- secrets --\na x=1\n\na x=2":           "line 3: source a has field x already",
		request + "-- options --\nspeed: 2":                 "options are receivedAt, allowUnsigned, published and unknown",
		request + "-- options --\npublished: body":          "what is published is the signature or the reply",
		request + "-- options --\nreceivedAt: now":          "cannot parse \"now\"",
		request + "-- filters --\nlabels = [\"a\"]":         "filters: line 1: not `pass",
		request + "-- filters --\npass labels = a":          "filters: line 1: not `pass",
		request + "-- filters --\npass labels = [1]":        "filters: line 1: not `pass",
		request + "-- filters --\npass\nhold a = \"b\" c":   "filters: line 2: not `pass",
		request + "-- want.json --\n{\"whch\": []}":         "unknown field \"whch\"",
		request + "-- want.json --\n{\"error\": \"bad\"}\n": "error \"bad\" is none of",
		request + "-- secrets --\n-- secrets --\n":          "secrets: it is there twice",
		request + "body\n-- body.base64 --\naGk=\n":         "request.http has a body, too",
		request + "-- body.base64 --\n!\n":                  "illegal base64",
	} {
		_, err := providertest.ParseCase("x", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "case x: ") {
			t.Errorf("%q: error %v, want %q in it", text, err, want)
		}
	}
}

func FuzzParseCase(f *testing.F) {
	f.Add([]byte("-- request.http --\nPOST / HTTP/1.1\nA: b\n\nbody\n-- secrets --\nhome/x secret=1\n-- filters --\npass a = \"b\"\n"))
	f.Add([]byte("-- request.http --\n\n\n-- want.json --\n{\"which\":[0],\"events\":null}\n-- options --\nallowUnsigned: true\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := providertest.ParseCase("x", data)
		if err == nil && (c.Request.Method == "" || c.Request.Header == nil) {
			t.Fatalf("%+v", c.Request)
		}
	})
}
