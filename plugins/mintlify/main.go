// Command al-provider-mintlify is the provider for results of Mintlify's builds
// that a relay of the user's own posts, as Mintlify has no webhooks. It does not
// call Mintlify.
package main

import (
	"github.com/action-llama/gateway/plugins/mintlify/provider"
	"github.com/action-llama/gateway/sdk"
)

// version is stamped by the build.
var version = "dev"

func main() { sdk.Serve(provider.New(version)) }
