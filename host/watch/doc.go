// Package watch says when something may have changed on the disk: it looks at
// folders rather than at files, follows symbolic links to where they lead, and
// speaks once a burst of changes is over. What changed, and whether it matters,
// is for whoever asked; that is why a signal too many does no harm, and why one
// comes from time to time without any notice of the system: network file systems
// give none.
//
// It reads no file and knows no configuration.
package watch
