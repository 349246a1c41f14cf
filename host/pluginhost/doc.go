// Package pluginhost finds provider binaries, launches each as a process of its
// own, and keeps it running: it restarts what crashes or hangs, bounds every
// call, and leaves no process behind. To the rest of the host a [Provider] is an
// [sdk.Provider] like any other.
//
// It knows no vendor, reads no configuration and holds no secret: credentials
// pass through it, call by call. What travels on the wire is the business of
// the packages sdk and sdk/client.
//
// Launching and stopping are more careful than they look worth: nearly every
// odd line answers something that go-plugin leaves to its host, from deadlines
// to orphans. The tests name them.
package pluginhost
