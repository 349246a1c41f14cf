// Command al-provider-linear is the provider for Linear's webhooks: it checks
// their signature and reads their events. It does not call Linear.
package main

import (
	"github.com/action-llama/gateway/plugins/linear/provider"
	"github.com/action-llama/gateway/sdk"
)

// version is stamped by the build.
var version = "dev"

func main() { sdk.Serve(provider.New(version)) }
