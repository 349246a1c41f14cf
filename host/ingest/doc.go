// Package ingest takes one delivery from its first byte to its answer: it reads
// the body within bounds, has the provider verify and parse it, matches its
// events, has the store commit the jobs, and replies. It knows no vendor, runs
// no agent and keeps nothing between two requests but counters.
package ingest
