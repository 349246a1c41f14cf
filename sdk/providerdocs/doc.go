// Package providerdocs writes the part of a provider's documentation that its
// descriptor knows (credential, filters, deadline, setup, an example) and keeps
// a page up to date with it. It is for tests of providers; nothing that ships
// needs it. What only a person knows, such as traps and why one would want the
// provider, stays in the hand-written rest of the page, which it leaves alone.
//
// The page has a region between two comments:
//
//	<!-- generated from the provider: begin -->
//	<!-- generated from the provider: end -->
//
// and a test of the provider is one call:
//
//	func TestDocs(t *testing.T) {
//		providerdocs.Check(t, sdk.Describe(provider.New("test")), "../README.md")
//	}
//
// When the descriptor has changed, UPDATE=1 go test -count=1 writes the region
// anew. The -count=1 is there because go test does not look at files outside
// the module when it decides that nothing has changed.
package providerdocs
