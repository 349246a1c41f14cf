// Command al-provider-twitter is the provider for X's webhooks: it answers
// their challenge, checks their signature and reads their events. It does not
// call X.
package main

import (
	"github.com/action-llama/gateway/plugins/twitter/provider"
	"github.com/action-llama/gateway/sdk"
)

// version is stamped by the build.
var version = "dev"

func main() { sdk.Serve(provider.New(version)) }
