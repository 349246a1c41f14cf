// Command al-provider-github is the provider for GitHub's webhooks: it checks
// their signature and reads their events. It does not call GitHub.
package main

import (
	"github.com/action-llama/gateway/plugins/github/provider"
	"github.com/action-llama/gateway/sdk"
)

// version is stamped by the build.
var version = "dev"

func main() { sdk.Serve(provider.New(version)) }
