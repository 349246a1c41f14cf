// Command al-provider-discord is the provider for Discord's interactions and
// webhook events: it checks their signature, reads what happened and says how
// to answer within Discord's three seconds. It does not call Discord.
package main

import (
	"github.com/action-llama/gateway/plugins/discord/provider"
	"github.com/action-llama/gateway/sdk"
)

// version is stamped by the build.
var version = "dev"

func main() { sdk.Serve(provider.New(version)) }
