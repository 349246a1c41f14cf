package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/pelletier/go-toml/v2"
	"go.yaml.in/yaml/v3"
)

func TestSecretNeverShows(t *testing.T) {
	t.Parallel()
	const text = "hunter2-s3cr3t"
	type box struct {
		Secret Secret
		hidden Secret
		List   []Secret
		Map    map[string]Secret
		Ptr    *Secret
	}
	s := NewSecret(text)
	b := box{s, s, []Secret{s}, map[string]Secret{"k": s}, &s}
	shown := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p", "%10s", "%.3s", "%z"} {
		shown["alone "+verb] = fmt.Sprintf(verb, s)
		shown["in a struct "+verb] = fmt.Sprintf(verb, b)
		shown["in a pointer "+verb] = fmt.Sprintf(verb, &b)
	}
	shown["print"] = fmt.Sprint(s, &s, b)
	shown["error"] = fmt.Errorf("x %v: %w", s, fmt.Errorf("%s", s)).Error()
	for name, marshal := range map[string]func(any) ([]byte, error){"json": json.Marshal, "toml": toml.Marshal, "yaml": yaml.Marshal} {
		out, err := marshal(struct {
			Secret Secret
			List   []Secret
			Map    map[string]Secret
		}{s, []Secret{s}, map[string]Secret{"k": s}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		shown[name] = string(out)
	}
	for _, asJSON := range []bool{false, true} {
		var out bytes.Buffer
		log := hclog.New(&hclog.LoggerOptions{Output: &out, JSONFormat: asJSON})
		log.Info("x", "secret", s, "pointer", &s, "box", b, "list", []Secret{s}, "map", b.Map)
		shown[fmt.Sprintf("hclog json=%v", asJSON)] = out.String()
	}
	for how, got := range shown {
		hexed := fmt.Sprintf("%x", text)
		if strings.Contains(got, "hunter2") || strings.Contains(strings.ToLower(got), hexed[:12]) {
			t.Errorf("%s shows it: %s", how, got)
		}
		if !strings.Contains(got, "secret>") && !strings.Contains(how, "%T") && !strings.Contains(how, "%p") && !strings.Contains(got, `secret\u003e`) {
			t.Errorf("%s: a secret should be seen to be there: %s", how, got)
		}
	}
}

func TestSecretKeepsItsText(t *testing.T) {
	t.Parallel()
	s := NewSecret("x y\n")
	if s.Reveal() != "x y\n" || s.IsZero() || !s.Equal(NewSecret("x y\n")) || s.Equal(NewSecret("x")) {
		t.Errorf("got %q", s.Reveal())
	}
	empty := NewSecret("")
	if !empty.IsZero() || empty.Reveal() != "" || fmt.Sprint(empty) != "" || !empty.Equal(Secret{}) {
		t.Errorf("empty: %v", empty)
	}
}
