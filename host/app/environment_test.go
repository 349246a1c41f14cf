package app

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/action-llama/gateway/host/config"
)

const testKey = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----"

// What agents list reaches their tools where these look for it, and as files.
func TestGrant(t *testing.T) {
	t.Parallel()
	credentials := config.Credentials{Dir: filepath.Join(t.TempDir(), "credentials")}
	for ref, fields := range map[config.CredentialRef]map[string]string{
		{Type: "github_token", Instance: "default"}:    {"token": "ghp_1"},
		{Type: "github_token", Instance: "other"}:      {"token": "ghp_2"},
		{Type: "git_ssh", Instance: "work"}:            {"id_rsa": testKey, "username": "Ada", "email": "ada@example.org"},
		{Type: "discord_bot", Instance: "default"}:     {"application_id": "1234", "public_key": "abcd", "bot_token": "bot-1"},
		{Type: "x_twitter_api", Instance: "default"}:   {"api_key": "x-key", "consumer_secret": "x-secret", "bearer_token": "x-bearer"},
		{Type: "anthropic_key", Instance: "default"}:   {"token": "sk-ant-oat01-1"},
		{Type: "slack_bot_token", Instance: "default"}: {"token": "xoxb-1"},
		{Type: "acme_token", Instance: "default"}:      {"token": "acme-1"},
		{Type: "acme_bot", Instance: "default"}:        {"id": "acme-id", "key": "acme-key"},
	} {
		if err := credentials.Write(ref.Type, ref.Instance, fields); err != nil {
			t.Fatal(err)
		}
	}
	refs := func(names ...string) []config.CredentialRef {
		var out []config.CredentialRef
		for i, name := range names {
			ref, err := config.ParseCredential(name)
			if err != nil {
				t.Fatal(err)
			}
			ref.Pos = config.Pos{File: "agents/dev/config.toml", Line: i + 1, Column: 1} // as the loader gives them
			out = append(out, ref)
		}
		return out
	}
	g, err := grant(credentials, refs("github_token:other", "github_token", "git_ssh:work", "discord_bot", "x_twitter_api",
		"anthropic_key", "slack_bot_token", "acme_token", "acme_bot"), "/it's/credentials")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{
		"GITHUB_TOKEN": "ghp_2", "GH_TOKEN": "ghp_2", // the one that is listed first
		"GIT_SSH_COMMAND": `ssh -i '/it'\''s/credentials/git_ssh/work/id_rsa' -o IdentitiesOnly=yes -o StrictHostKeyChecking=accept-new -o BatchMode=yes`,
		"GIT_AUTHOR_NAME": "Ada", "GIT_COMMITTER_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_COMMITTER_EMAIL": "ada@example.org",
		"DISCORD_APPLICATION_ID": "1234", "DISCORD_PUBLIC_KEY": "abcd", "DISCORD_BOT_TOKEN": "bot-1",
		"X_API_KEY": "x-key", "X_CONSUMER_KEY": "x-key", "X_API_SECRET": "x-secret", "X_CONSUMER_SECRET": "x-secret", "X_BEARER_TOKEN": "x-bearer",
		"CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-1", "SLACK_BOT_TOKEN": "xoxb-1",
		"ACME_TOKEN": "acme-1", "ACME_BOT_ID": "acme-id", "ACME_BOT_KEY": "acme-key",
	}, g.env); diff != "" {
		t.Errorf("environment -want +got:\n%s", diff)
	}
	if len(g.files) != 16 || g.files["github_token/default/token"] != "ghp_1" || g.files["git_ssh/work/id_rsa"] != testKey+"\n" {
		t.Errorf("files: %d", len(g.files))
	}
	// A name or an address hidden in every output would hide the output.
	if diff := cmp.Diff([]string{
		"ghp_2", "ghp_1", testKey, "bot-1", "x-key", "x-bearer", "x-secret", "sk-ant-oat01-1", "xoxb-1", "acme-1", "acme-id", "acme-key",
	}, g.secrets); diff != "" {
		t.Errorf("secrets -want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]clash{
		{"GITHUB_TOKEN", config.CredentialRef{Type: "github_token", Instance: "default"}, config.CredentialRef{Type: "github_token", Instance: "other"}},
		{"GH_TOKEN", config.CredentialRef{Type: "github_token", Instance: "default"}, config.CredentialRef{Type: "github_token", Instance: "other"}},
	}, g.clashes, cmp.AllowUnexported(clash{}), cmpopts.IgnoreTypes(config.Pos{})); diff != "" {
		t.Errorf("clashes -want +got:\n%s", diff)
	}
}
