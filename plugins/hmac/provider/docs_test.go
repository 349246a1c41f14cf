package provider_test

import (
	"testing"

	"github.com/action-llama/gateway/plugins/hmac/provider"
	"github.com/action-llama/gateway/sdk"
	"github.com/action-llama/gateway/sdk/providerdocs"
)

const docs = "../../../docs/providers/"

// The page for users says what the descriptor says.
func TestDocs(t *testing.T) {
	t.Parallel()
	d := sdk.Describe(provider.New("test"))
	providerdocs.Check(t, d, docs+"hmac.md")
	providerdocs.CheckRow(t, d, docs+"README.md")
}
