//go:build e2e

package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// kept builds the programs that were kept from each release of the SDK, with
// the SDK of that release, and hands them to a test: al-provider-chime, and a
// host that prints what it learns of providers. See docs/compatibility.md.
func kept(t *testing.T, test func(t *testing.T, version, provider, host string)) {
	archives, err := filepath.Glob("testdata/kept/*/sdk.zip")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no SDK was kept: %v", err)
	}
	for _, archive := range archives {
		dir := filepath.Dir(archive)
		version := filepath.Base(dir)
		t.Run(version, func(t *testing.T) {
			sdk := t.TempDir()
			unzip(t, archive, sdk)
			built := map[string]string{}
			for _, program := range []string{"provider", "host"} {
				if err := os.CopyFS(filepath.Join(sdk, "kept", program), os.DirFS(filepath.Join(dir, program))); err != nil {
					t.Fatal(err)
				}
				built[program] = filepath.Join(sdk, program+".bin")
				build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", built[program], "./kept/"+program)
				build.Dir = sdk
				build.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0", "GOFLAGS=")
				if out, err := build.CombinedOutput(); err != nil {
					t.Fatalf("build the %s of %s: %v\n%s", program, version, err, out)
				}
			}
			test(t, version, built["provider"], built["host"])
		})
	}
}

func unzip(t *testing.T, archive, to string) {
	t.Helper()
	r, err := zip.OpenReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if err := os.CopyFS(to, r); err != nil {
		t.Fatal(err)
	}
}

// A provider that was built with an SDK of any release works with the host of
// today, in everything that it could do then.
func TestKeptProvidersWorkWithThisHost(t *testing.T) {
	kept(t, func(t *testing.T, version, provider, _ string) {
		files := standard("[[webhooks]]\nsource = \"main\"\ntones = [\"high\"]\n")
		config := strings.ReplaceAll(files["config.toml"], `"github"`, `"chime"`)
		delete(files, "config.toml") // its provider is not one that make build makes
		p := newProject(t, files)
		p.write("config.toml", config)
		p.credential("chime_secret", "main", "secret", secret)
		binary, err := os.ReadFile(provider)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(p.bin, "plugins"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(p.bin, "plugins", "al-provider-chime"), binary, 0o700); err != nil {
			t.Fatal(err)
		}
		if out, code := p.al("doctor", "-p", p.dir); code != 0 {
			t.Fatalf("doctor: %s", out)
		}
		g := p.start()

		chime := func(tone, id, key string, more ...string) answer {
			body := fmt.Appendf(nil, `{"tone":%q,"by":"ada"}`, tone)
			d := delivery{id: id, body: body, path: "/webhooks/chime", header: map[string]string{
				"X-Chime-Delivery": id, "X-Chime-Signature": signature(key, body),
			}}
			for i := 0; i+1 < len(more); i += 2 {
				d.header[more[i]] = more[i+1]
			}
			return g.mustSend(d)
		}
		if a := chime("high", "1", "another secret"); a.code != http.StatusUnauthorized {
			t.Errorf("forged: %d %s", a.code, a.text)
		}
		if a := chime("high", "2", secret); a.code != http.StatusOK || a.Queued != 1 {
			t.Errorf("signed: %d %s", a.code, a.text)
		}
		if a := chime("high", "2", secret); !a.Duplicate {
			t.Errorf("again: %d %s", a.code, a.text)
		}
		if a := chime("low", "3", secret); a.code != http.StatusOK || a.Matched != 0 {
			t.Errorf("held back: %d %s", a.code, a.text)
		}
		if a := chime("", "4", secret); a.code != http.StatusBadRequest {
			t.Errorf("unparseable: %d %s", a.code, a.text)
		}
		if a := chime("high", "5", secret, "X-Chime-Hello", "1"); a.code != http.StatusOK || a.text != "ding" {
			t.Errorf("handshake: %d %s", a.code, a.text)
		}
		if out, code := p.al("webhook", "send", "chime", "chime", "-p", p.dir); code != 0 {
			t.Errorf("send a sample: %s", out)
		}
		g.await("the runs are done", func() bool {
			s := p.stat()
			return len(s.Agents) == 1 && s.Agents[0].Running+s.Agents[0].Waiting == 0 && s.Agents[0].LastRun != nil
		})
		var spoken struct {
			Providers []struct {
				Type, Version, State string
				Protocol             int
			}
		}
		printed(t, p, &spoken, "stat", "--json")
		if len(spoken.Providers) != 1 || spoken.Providers[0].Protocol != 1 || spoken.Providers[0].Version != "1.0.0" {
			t.Errorf("al stat, of a provider built with the SDK %s: %+v", version, spoken.Providers)
		}
		g.stop()
	})
}

// The providers of today work with a host of any release: whoever updates a
// provider does not have to update al first.
func TestProvidersOfTodayWorkWithKeptHosts(t *testing.T) {
	kept(t, func(t *testing.T, _, _, host string) {
		providers, err := filepath.Glob("../bin/plugins/al-provider-*")
		if err != nil || len(providers) < 7 {
			t.Fatalf("the providers are not built; run make e2e: %v", err)
		}
		var stderr bytes.Buffer
		cmd := exec.Command(host, providers...)
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, &stderr)
		}
		lines, signed := json.NewDecoder(bytes.NewReader(out)), 0
		for _, path := range providers {
			var told struct {
				Type, Error string
				Protocol    int
				Refused     bool
				Events      []string
			}
			if err := lines.Decode(&told); err == io.EOF {
				t.Fatalf("nothing is told of %s", path)
			} else if err != nil {
				t.Fatal(err)
			}
			if told.Error != "" || told.Protocol != 1 || !told.Refused || !strings.HasSuffix(path, "-"+told.Type) {
				t.Errorf("%s: %+v", filepath.Base(path), told)
			}
			if len(told.Events) > 0 {
				signed++
			}
		}
		if signed < 4 {
			t.Errorf("samples of %d providers were made and taken; of the others none could be signed with a made-up secret", signed)
		}
	})
}
