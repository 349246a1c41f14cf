// Package e2e tests the built binaries as a whole: real processes, real
// signals, real files, HTTP from outside. It builds only with the tag e2e and
// needs what `make build` makes; `make e2e` does both.
package e2e
