// Package version says which build this is.
package version

// Version is stamped at build time.
var Version = "dev"
