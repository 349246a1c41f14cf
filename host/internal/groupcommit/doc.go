// Package groupcommit puts what several callers want to have recorded at the
// same time into one transaction: whoever comes while one is under way shares
// the next. A caller returns when its own work is recorded; notes are work that
// nobody waits for, and travel along.
//
// It knows no database. What work is, and how a transaction is made of it, is
// the business of the store that uses it.
package groupcommit
