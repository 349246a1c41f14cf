package provider

import (
	"github.com/action-llama/gateway/sdk"
)

const (
	credentialType = "mintlify_webhook_secret"
	secretField    = "secret"
)

// Describe says what people configure: one secret and four filters, one of them
// under two names.
func (p *Provider) Describe() sdk.Descriptor {
	return sdk.Descriptor{
		Type:    "mintlify",
		Name:    "Mintlify",
		Version: p.version,
		// No page: Mintlify documents no webhooks.
		Credential: sdk.Credential{
			Type: credentialType,
			Fields: []sdk.Field{{
				Name:      secretField,
				Label:     "Secret of the relay",
				Secret:    true,
				Generated: true,
				Help:      "Make one up, long and random, and have your relay sign with it. A Mintlify API key (mint_...) must not be used.",
			}},
		},
		SignatureHeaders: signatureHeaders(),
		Filters:          filters(),
		Setup: `Mintlify documents no webhooks of its own. Its GitHub App reports deployments and checks to GitHub, so the dependable
way is a source of type github and triggers on deployment_status and check_run; no source of this type is needed then.
This type takes what a relay of yours posts, for example a CI job that asks Mintlify's API for the status of a deployment.
Have it post JSON to {url}
with the header X-Mintlify-Signature: the HMAC-SHA256 of the body in lower-case hex, with the secret as key.`,
		Example: map[string][]string{
			"events":  {"build"},
			"actions": {"failed"},
		},
	}
}

func filters() []sdk.Filter {
	return []sdk.Filter{
		{Name: "projects", Attribute: "project", Help: "Projects, as the relay names them; of what Mintlify's API says, id or subdomain."},
		{Name: "repos", Attribute: "project", Help: "The same as projects, which adds to it; the name that older configurations have."},
		{Name: "events", Attribute: "event", Values: []string{"build"}, Help: "Kinds of events. Unless a relay says otherwise it is build."},
		{
			Name: "actions", Attribute: "action",
			Values: []string{"failed", "succeeded", failure, success, "queued", "in_progress"},
			Help:   "What became of the build. failed and failure are the same, and so are succeeded and success.",
		},
		{
			Name: "branches", Attribute: "branch", PassAbsent: true, MatchCase: true,
			Help: "Branches, without refs/heads/. Results that name no branch pass.",
		},
	}
}
