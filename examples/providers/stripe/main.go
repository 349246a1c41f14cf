// Command al-provider-stripe is a provider for the al gateway: it checks who signed the
// webhooks of Stripe, and reads their events. It calls nobody.
package main

import "github.com/action-llama/gateway/sdk"

// version is stamped by the build.
var version = "dev"

func main() { sdk.Serve(provider{version: version}) }
