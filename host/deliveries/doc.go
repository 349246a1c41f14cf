// Package deliveries answers questions about past deliveries: which there were,
// what was in them, which triggers wanted them and why the others did not, and
// what another configuration would have made of them. It starts nothing and
// changes nothing; to let a delivery happen again is ingest's.
//
// What deliveries mean is asked of the providers that serve, and who wants them
// of the matcher that serves, so that an answer here is what the gateway does.
// The package is the same with a gateway that runs and with one that is down:
// all it needs are records and a [View].
//
// Its types are what commands print with --json and what the API sends. Their
// names are a contract: fields are added, never renamed. None of them holds what
// a provider marks sensitive, nor what looks like a secret in a body.
package deliveries
