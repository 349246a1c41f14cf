package config

import (
	"regexp"
	"testing"
)

// The table is data that people add to: what would go wrong in a run is found
// here.
func TestTools(t *testing.T) {
	t.Parallel()
	if _, err := parseTools(toolsTable); err != nil {
		t.Fatal(err)
	}
	types := map[string]bool{}
	for _, tool := range Tools() {
		if types[tool.Type] || !credentialName.MatchString(tool.Type) || tool.Name == "" || len(tool.Fields) == 0 {
			t.Errorf("%s: there twice, or not complete", tool.Type)
		}
		types[tool.Type] = true
		fields, variables := map[string]bool{}, map[string]bool{}
		for _, f := range tool.Fields {
			for _, name := range append([]string{f.Name}, f.Aliases...) {
				if fields[name] || !credentialName.MatchString(name) {
					t.Errorf("%s: field %q is there twice, or no name", tool.Type, name)
				}
				fields[name] = true
			}
			if _, err := regexp.Compile(f.Pattern); err != nil || f.Label == "" || f.Help == "" {
				t.Errorf("%s: field %s: pattern, label or help: %v", tool.Type, f.Name, err)
			}
			names := f.AllVariables()
			if len(names) == 0 {
				t.Errorf("%s: nothing sees the field %s", tool.Type, f.Name)
			}
			for _, name := range names {
				if variables[name] || !variableName.MatchString(name) {
					t.Errorf("%s: variable %q is there twice, or no name", tool.Type, name)
				}
				variables[name] = true
			}
		}
	}
}

func TestVariables(t *testing.T) {
	t.Parallel()
	tool, ok := ToolOf("anthropic_key")
	if !ok {
		t.Fatal("no anthropic_key")
	}
	f, _ := tool.Find("token")
	for value, want := range map[string]string{"sk-ant-api03-x": "ANTHROPIC_API_KEY", "sk-ant-oat01-x": "CLAUDE_CODE_OAUTH_TOKEN"} {
		if got := f.Variables(value); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %v, want %s", value, got, want)
		}
	}
	x, _ := ToolOf("x_twitter_api")
	if f, ok := x.Find("api_key"); !ok || f.Name != "consumer_key" {
		t.Errorf("an older name of a field is not found: %+v", f)
	}
	for _, c := range []struct {
		typ, field string
		fields     int
		want       string
	}{{"acme_token", "token", 1, "ACME_TOKEN"}, {"acme-bot", "key", 2, "ACME_BOT_KEY"}, {"a.b", "c", 1, "A_B"}} {
		if got := VariableName(c.typ, c.field, c.fields); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// A private key of any kind passes, and what is not one does not.
func TestPrivateKeyPattern(t *testing.T) {
	t.Parallel()
	tool, _ := ToolOf("git_ssh")
	f, _ := tool.Find("id_rsa")
	for text, good := range map[string]bool{
		"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----": true,
		"-----BEGIN RSA PRIVATE KEY-----\r\nMII\r\n-----END RSA PRIVATE KEY-----\r\n":  true,
		"-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n":                true,
		"ssh-ed25519 AAAA me@host":                                    false,
		"-----BEGIN PUBLIC KEY-----\nMII\n-----END PUBLIC KEY-----\n": false,
		"-----BEGIN OPENSSH PRIVATE KEY-----\n(cut off)":              false,
	} {
		if err := CheckField(f.Field, text); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
}
