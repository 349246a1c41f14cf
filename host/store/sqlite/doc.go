// Package sqlite keeps the gateway's memory in one SQLite file. It is the
// default [store.Store], for one gateway on one machine.
//
// One goroutine, the writer, owns the only connection that writes. It takes
// whatever operations are waiting, applies them in one transaction and answers
// their callers once that transaction is on disk, so callers that arrive
// together share one fsync. Lists are read over separate read-only
// connections, which in WAL mode neither wait for the writer nor hold it up.
//
// The depth, the head and the running count of every queue are kept in its
// row of the table queues, in the same transaction as the jobs they count. No
// operation therefore gets slower as a queue gets deeper.
//
// It is no place for several gateways: nothing here keeps two processes from
// claiming jobs of one file, though their transactions would not mix. The lock
// on the project folder is what prevents that.
//
// While one gateway takes over from another, both have the file open
// ([Options.Beside]). Nothing is remembered from one transaction to the next but
// how long the log is, so that what the one writes is what the other sees; they
// take turns at the lock for writing.
package sqlite
