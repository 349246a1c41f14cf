// Package scaffold writes what a new provider begins with: a module in Go, or a
// project in TypeScript, that builds, passes the conformance kit and can be
// published. It makes texts; it runs nothing, and knows no commands.
package scaffold
