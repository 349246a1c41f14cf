//go:build e2e

package e2e

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestTwoHostsOnOneMachine walks the part of docs/scaling.md that brings up two
// hosts, as it is written but for the database and the ports, which are this
// test's own.
func TestTwoHostsOnOneMachine(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../docs/scaling.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, found := strings.Cut(string(raw), "\n## Try it: ")
	part, _, ends := strings.Cut(part, "\n## ")
	if !found || !ends {
		t.Fatal("docs/scaling.md has no part to try")
	}
	db := newFleetDatabase(t)
	for from, to := range map[string]string{
		"postgres://al:password@127.0.0.1:5432/al": (&url.URL{
			Scheme: "postgres", User: url.User("al"), Host: db.Address(), Path: "/postgres", RawQuery: "sslmode=disable",
		}).String(),
		"8081": strconv.Itoa(freePort(t)),
		"8082": strconv.Itoa(freePort(t)),
	} {
		if !strings.Contains(part, from) {
			t.Fatalf("the page does not have %s", from)
		}
		part = strings.ReplaceAll(part, from, to)
	}
	blocks := tried.FindAllStringSubmatch(part, -1)
	if shown := strings.Count(part, "\n```"); shown != 2*len(blocks) || len(blocks) == 0 {
		t.Errorf("%d blocks, of which %d say whether they are tried", shown/2, len(blocks))
	}

	p := newProject(t, map[string]string{"config.toml": "type = \"github\"\n"}) // for its binaries
	root := filepath.Dir(p.dir)
	w := &walk{dir: root, env: append(p.env, fmt.Sprintf("PATH=%s%c%s", p.bin, os.PathListSeparator, os.Getenv("PATH")))}
	for _, b := range blocks {
		w.block(t, b[1], b[3])
	}
}
