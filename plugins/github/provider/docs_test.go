package provider_test

import (
	"testing"

	"github.com/action-llama/gateway/plugins/github/provider"
	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providerdocs"
)

const docs = "../../../docs/providers/"

// The page for users says what the descriptor says.
func TestDocs(t *testing.T) {
	t.Parallel()
	d := sdk.Describe(provider.New("test"))
	providerdocs.Check(t, d, docs+"github.md")
	providerdocs.CheckRow(t, d, docs+"README.md")
}

// Mintlify's deployments are followed through GitHub, so its page has triggers
// of ours.
func TestDocsOfMintlify(t *testing.T) {
	t.Parallel()
	providerdocs.CheckExamples(t, sdk.Describe(provider.New("test")), docs+"mintlify.md")
}
