package cli_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/action-llama/gateway/host/cli"
	"github.com/action-llama/gateway/host/store/pgtest"
	"github.com/action-llama/gateway/sdk"
)

// The scripts run al, and a provider, as processes of this test binary.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"al":                   func() { os.Exit(cli.Main(os.Args[1:], cli.System())) },
		"al-provider-bell":     func() { sdk.Serve(bell{}) },
		"al-provider-chime":    func() { sdk.Serve(chime{}) },
		"al-provider-gullible": func() { sdk.Serve(gullible{}) },
		"al-provider-github":   func() { sdk.Serve(github{}) },
		"al-provider-parcel":   func() { sdk.Serve(parcel{}) },
	})
}

// withoutRace leaves a test that starts al hundreds of times out of a build with
// the race detector, with which each start takes ten times as long: the scripts
// alone would need as long as everything else. `make test` runs them in a build
// of their own. What they start is tested with the detector where it is made.
func withoutRace(t *testing.T) {
	t.Helper()
	if raced && os.Getenv("AL_RACE_SCRIPTS") == "" {
		t.Skip("runs without the race detector, in a build of its own (make test); AL_RACE_SCRIPTS=1 runs it with it")
	}
}

func TestScripts(t *testing.T) {
	withoutRace(t)
	t.Parallel()
	// Made when the first script asks.
	database := sync.OnceValue(pgtest.Start)
	t.Cleanup(func() { database().Stop() })
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"until": until, "deliver": deliver, "ring": ring, "capture": capture,
			"postgres": func(ts *testscript.TestScript, _ bool, _ []string) { postgres(ts, database()) },
		},
		Condition: func(name string) (bool, error) {
			if name != "postgres" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			why := database().Why()
			if why != nil && os.Getenv(pgtest.NeedEnv) != "" {
				return false, why
			}
			return why == nil, nil
		},
		Setup: setup,
	})
}

// setup gives a script a home with one provider in it.
func setup(env *testscript.Env) error {
	home := filepath.Join(env.WorkDir, "home")
	plugins := filepath.Join(home, ".action-llama", "plugins")
	if err := os.MkdirAll(plugins, 0o700); err != nil {
		return err
	}
	binary, err := exec.LookPath("al-provider-bell")
	if err != nil {
		return err
	}
	// Not installed: a script that wants one links to it.
	for _, name := range []string{"bell", "chime", "gullible", "github", "parcel"} {
		path, err := exec.LookPath("al-provider-" + name)
		if err != nil {
			return err
		}
		env.Setenv(strings.ToUpper(name), path)
	}
	env.Setenv("HOME", home)
	env.Setenv("TMPDIR", os.TempDir()) // sockets want a short path
	env.Setenv("NO_COLOR", "1")
	env.Setenv("AL_GATEWAY_PORT", "0") // scripts run side by side
	return os.Symlink(binary, filepath.Join(plugins, "al-provider-bell"))
}

// postgres gives a script a schema of its own, by its URL in $PGURL.
func postgres(ts *testscript.TestScript, s *pgtest.Server) {
	address, drop, err := s.Schema()
	ts.Check(err)
	ts.Defer(func() { ts.Check(drop()) })
	ts.Setenv("PGURL", address)
}

// until is for what becomes true: "until PATTERN COMMAND..." runs the command
// until a line of its output matches.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN COMMAND [ARG...]")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for deadline := time.Now().Add(time.Minute); ; {
		_ = ts.Exec(args[1], args[2:]...) // it may fail until then
		if pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no line of %q ever matched %q", args[1:], args[0])
		}
	}
}

// ring sends a delivery to the gateway of a project, signed with a secret:
// "ring PROJECT SECRET DELIVERY BODY". It fails unless that is answered 200.
func ring(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 4 {
		ts.Fatalf("usage: ring PROJECT SECRET DELIVERY BODY")
	}
	var in struct{ URL string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(filepath.Join(args[0], ".al", "gateway.json"))), &in))
	req, err := http.NewRequest(http.MethodPost, in.URL+"/webhooks/bell", strings.NewReader(args[3]))
	ts.Check(err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Bell-Delivery", args[2])
	req.Header.Set("X-Bell-Signature", sdk.SignHMACSHA256("", args[1], []byte(args[3])))
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer func() { _ = resp.Body.Close() }()
	if body, err := io.ReadAll(resp.Body); err != nil || (resp.StatusCode == http.StatusOK) == neg {
		ts.Fatalf("answered %s %s, %v", resp.Status, body, err)
	}
}

// capture keeps a part of the last output for later: "capture NAME PATTERN" sets
// a variable to what the pattern's group matches.
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: capture NAME PATTERN")
	}
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	found := pattern.FindStringSubmatch(ts.ReadFile("stdout"))
	if len(found) < 2 {
		ts.Fatalf("nothing matches %q", args[1])
	}
	ts.Setenv(args[0], found[1])
}

// bell is a provider of which the host knows nothing. A script that wraps it can
// make another version of it, and one without filters.
type bell struct{}

func (bell) Describe() sdk.Descriptor {
	d := theBell()
	d.Version = cmp.Or(os.Getenv("BELL_VERSION"), d.Version)
	if os.Getenv("BELL_WITHOUT") == "filters" {
		d.Filters, d.Example = nil, nil
	}
	return d
}

func theBell() sdk.Descriptor {
	return sdk.Descriptor{
		Type: "bell", Name: "Door bell", Version: "1.2.3",
		Credential:       sdk.Credential{Type: "bell_secret", Fields: []sdk.Field{{Name: "secret", Label: "Secret", Secret: true, Generated: true}}},
		SignatureHeaders: []string{"X-Bell-Signature"},
		DeliveryIDHeader: "X-Bell-Delivery",
		Filters: []sdk.Filter{
			{Name: "doors", Attribute: "door", Help: "Which doors.", Values: []string{"front", "back"}},
			{Name: "visitor", Kind: sdk.String, Attribute: "visitor", Help: "Who rings."},
		},
		Setup:   "Screw it to the wall, and have it call\n{url}",
		Example: map[string][]string{"doors": {"front"}},
	}
}

func (bell) Verify(_ context.Context, req sdk.Request, secrets []sdk.Secret) (sdk.Which, error) {
	signature, err := sdk.HexSignature(req.Header, "X-Bell-Signature", "")
	if err != nil {
		return nil, err
	}
	return sdk.VerifyHMACSHA256(secrets, "secret", signature, req.Body)
}

func (bell) Parse(_ context.Context, req sdk.Request) ([]sdk.Event, error) {
	var ring struct{ Door, Visitor, Opener string }
	if err := json.Unmarshal(req.Body, &ring); err != nil {
		return nil, sdk.Unparseable("body is not JSON")
	}
	e := sdk.Event{
		Name: "ring", DeliveryID: req.Header.Get("X-Bell-Delivery"), Title: "At the " + ring.Door,
		Attributes: map[string][]string{},
	}
	if ring.Door != "" {
		e.Attributes["door"] = []string{ring.Door}
	}
	if ring.Visitor != "" {
		e.Attributes["visitor"] = []string{ring.Visitor}
	}
	if ring.Opener != "" {
		e.Extra, e.Sensitive = map[string]any{"opener": ring.Opener}, []string{"opener"}
	}
	return []sdk.Event{e}, nil
}
