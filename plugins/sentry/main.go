// Command al-provider-sentry is the provider for Sentry's webhooks: it checks
// their signature and reads their events. It does not call Sentry.
package main

import (
	"github.com/action-llama/gateway/plugins/sentry/provider"
	"github.com/action-llama/gateway/sdk"
)

// version is stamped by the build.
var version = "dev"

func main() { sdk.Serve(provider.New(version)) }
