// Package flow says how the jobs of a trigger go through the queue: which
// events it lets by, what a job is about, and whether it waits for the end of a
// burst. It turns a configuration and an event into what the store is asked
// for. It is pure: deciding what may run when is the store's, in the
// transaction that starts a run.
package flow
