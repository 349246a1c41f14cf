package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/action-llama/gateway/host/store"
)

// The classes and codes of errors that are told apart; see appendix A of
// PostgreSQL's manual.
const (
	classConnection   = "08"
	classData         = "22"
	classIntegrity    = "23"
	classAuth         = "28"
	classRollback     = "40"
	classResources    = "53"
	classIntervention = "57"

	codeDiskFull        = "53100"
	codeTooMany         = "53300"
	codeReadOnly        = "25006"
	codeNoDatabase      = "3D000"
	codeNoSchema        = "3F000"
	codeNoPrivilege     = "42501"
	codeLockTimeout     = "55P03"
	codeCanceled        = "57014"
	codeStarting        = "57P03"
	codeSerialization   = "40001"
	codeDeadlock        = "40P01"
	codeUndefinedTable  = "42P01"
	codeUndefinedFunc   = "42883"
	codeInvalidPassword = "28P01"
)

// code is that of an error of the server; empty for any other.
func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// unavailable wraps what kept a transaction from being recorded, and says what
// to do about it.
func unavailable(err error) error {
	return fmt.Errorf("%w: PostgreSQL: %w; %s", store.ErrUnavailable, withoutAddress(err), advice(err))
}

// withoutAddress leaves out what the driver says of how it connects: that is of
// the URL, which is a secret as a whole.
func withoutAddress(err error) error {
	var connect *pgconn.ConnectError
	if !errors.As(err, &connect) {
		return err
	}
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return fmt.Errorf("can not connect: %w", server)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("can not connect: %w", context.DeadlineExceeded)
	}
	// The cause behind all that names addresses: "connection refused".
	cause := connect.Unwrap()
	for {
		next := cause
		if many, ok := cause.(interface{ Unwrap() []error }); ok {
			list := many.Unwrap()
			if len(list) == 0 {
				break
			}
			next = list[len(list)-1]
		} else if one := errors.Unwrap(cause); one != nil {
			next = one
		}
		if next == cause { //nolint:errorlint // walks the tree itself
			break
		}
		cause = next
	}
	return fmt.Errorf("can not connect: %w", cause)
}

func advice(err error) string {
	c := code(err)
	switch {
	case c == codeDiskFull:
		return "its disk is full: make room, or lower historyMaxBytes"
	case c == codeTooMany:
		return "it has no connection to spare: raise its max_connections, or stop what holds them"
	case c == codeReadOnly:
		return "it takes no writes: name the primary in [store] url, or let the driver find it with target_session_attrs=read-write"
	case c == codeNoPrivilege:
		return "the user of [store] url has to own its schema"
	case strings.HasPrefix(c, classAuth):
		return "check user and password in [store] url"
	case c == codeNoDatabase:
		return "create the database, or name another in [store] url"
	case c == codeNoSchema, c == codeUndefinedTable, c == codeUndefinedFunc:
		return "its schema is not that of this al: run al store migrate"
	case c == codeLockTimeout:
		return "another session holds a lock; look at pg_stat_activity"
	case c == codeStarting, strings.HasPrefix(c, classIntervention):
		return "it is restarting"
	default:
		return "check that it runs and can be reached"
	}
}

// ownFault tells errors that an operation brought about by what it asked for
// from those of the database, which every operation would meet.
func ownFault(err error) bool {
	c := code(err)
	return strings.HasPrefix(c, classData) || strings.HasPrefix(c, classIntegrity)
}

// passing tells errors after which the same transaction may well succeed.
func passing(err error) bool {
	c := code(err)
	return c == codeSerialization || c == codeDeadlock
}

// elsewhere tells errors of a server that is not the one to write to any more.
func elsewhere(err error) bool {
	c := code(err)
	return c == codeReadOnly || c == codeStarting || strings.HasPrefix(c, classIntervention) && c != codeCanceled
}

// definite says that after an error nothing was recorded. Without the server's
// word, a connection may have ended before or after the commit.
func definite(err error) bool {
	var connect *pgconn.ConnectError
	return code(err) != "" || errors.As(err, &connect) || pgconn.SafeToRetry(err)
}

// isConnection tells errors of the way to the database.
func isConnection(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network)
}
