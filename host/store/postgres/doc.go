// Package postgres keeps the gateway's memory in a PostgreSQL database, for
// several hosts that work as one. It is the [store.Store] to choose when one
// machine is not enough; host/store/sqlite is the default.
//
// The hosts know nothing of each other: all that is decided, is decided by
// functions in the database (migrations/), in the transaction that records it.
// What is about one agent is decided one after the other, by a lock on its row
// of the table queues; agents do not wait for each other, but where they share
// the scale or the budget of the project. A transaction is one round trip, and
// callers of one host that arrive together share it, with its commit.
//
// Times are those of the database's clock, so that hosts need not agree on one.
//
// Hosts tell each other by LISTEN/NOTIFY that there may be work. That is for
// speed only: nothing is lost with a notice, since everybody looks regularly.
package postgres
