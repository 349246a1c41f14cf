package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// A host holds at most so many connections, and one more that listens.
	maxWriting = 4 // the writer, a claim, what is done now and then
	maxReading = 4 // lists are for people and for metrics, a few at a time

	// connectTimeout bounds a try to connect, over which vendors wait.
	connectTimeout = 3 * time.Second
	// idleTime is how long an unused connection is kept, and lifeTime how long
	// any: hosts then spread over what stands behind a name.
	idleTime = 5 * time.Minute
	lifeTime = time.Hour
)

// errURL does not say what the URL is: it may hold a password.
var errURL = errors.New(`[store] url is no URL that PostgreSQL's clients take; write "postgres://user:password@host:5432/database", ` +
	`with what is not a letter or digit in user and password as %XX`)

func parseURL(url string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errURL
	}
	if config.ConnConfig.ConnectTimeout <= 0 || config.ConnConfig.ConnectTimeout > connectTimeout {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "al"
	}
	config.MaxConnIdleTime = idleTime
	config.MaxConnLifetime = lifeTime
	config.MaxConnLifetimeJitter = lifeTime / 10
	return config, nil
}

// writeSession is how sessions that write are set up, whatever the database's
// defaults are. Each statement of theirs finds its rows by an index, also in
// tables that were empty when it was planned, and in its order: the first of many
// agents is found without a look at the others. It is too short to be worth
// compiling. A server that does not wait for its disk would break the promise of
// a 2xx. No lock is waited for forever, by a host that has given up long ago.
const writeSession = `SELECT
	set_config('enable_seqscan', 'off', false),
	set_config('enable_bitmapscan', 'off', false),
	set_config('jit', 'off', false),
	set_config('default_transaction_isolation', 'read committed', false),
	set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false),
	set_config('lock_timeout', '10s', false),
	set_config('statement_timeout', '30s', false)`

// pools are the connections of a host, in two groups so that no list of a person
// keeps a delivery waiting.
type pools struct {
	write, read *pgxpool.Pool
	config      *pgxpool.Config
}

func openPools(ctx context.Context, config *pgxpool.Config) (*pools, error) {
	writing := config.Copy()
	writing.MaxConns, writing.MinConns = maxWriting, 0
	writing.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, writeSession)
		return err
	}
	reading := config.Copy()
	reading.MaxConns, reading.MinConns = maxReading, 0
	reading.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, `SELECT set_config('statement_timeout', '30s', false)`)
		return err
	}
	write, err := pgxpool.NewWithConfig(ctx, writing)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", withoutAddress(err))
	}
	read, err := pgxpool.NewWithConfig(ctx, reading)
	if err != nil {
		write.Close()
		return nil, fmt.Errorf("connect: %w", withoutAddress(err))
	}
	return &pools{write: write, read: read, config: config}, nil
}

func (p *pools) close() {
	p.write.Close()
	p.read.Close()
}

// reset gives up all connections that are open: they lead to a server that is
// not the one to use any more.
func (p *pools) reset() {
	p.write.Reset()
	p.read.Reset()
}
