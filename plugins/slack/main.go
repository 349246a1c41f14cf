// Command al-provider-slack is the provider for Slack: it checks the signature
// of what Slack sends and reads it. It does not call Slack.
package main

import (
	"github.com/action-llama/gateway/plugins/slack/provider"
	"github.com/action-llama/gateway/sdk"
)

// version is stamped by the build.
var version = "dev"

func main() { sdk.Serve(provider.New(version)) }
