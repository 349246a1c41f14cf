// Package version says which build this is.
package version

// Version is stamped at build time.
var Version = "dev"

// SDK is the version of the released SDK that providers are written with, stamped
// at build time; empty for a build that knows of none.
var SDK = ""
