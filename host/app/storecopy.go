package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/store/postgres"
	"github.com/action-llama/gateway/host/store/sqlite"
	"github.com/action-llama/gateway/host/store/transfer"
)

// The stores that there are, for those who name one.
const (
	StoreSQLite   = "sqlite"
	StorePostgres = "postgres"
)

// MigrateStore brings the schema of a project's database up to date, and tells
// how far it was before. That of a file comes with its gateway.
func MigrateStore(ctx context.Context, p *config.Project) (before, after int64, err error) {
	if p.Store.URL.IsZero() {
		return 0, 0, fmt.Errorf("the project's store is the file %s, which al start brings up to date; "+
			"al store migrate is for the database of [store] url", DatabaseFile(p.Dir))
	}
	was, err := postgres.Migrate(ctx, p.Store.URL.Reveal())
	return was.Version, was.Known, err
}

// StoreCopy is what CopyStore does.
type StoreCopy struct {
	From, To string
	Anew     bool // not going on with what an earlier copy left
	Progress func(transfer.Progress)
}

// side is one of a copy.
type side interface {
	transfer.Target
	Close() error
}

// CopyStore copies all of a project's store into another, while no gateway uses
// either of them.
func CopyStore(ctx context.Context, p *config.Project, c StoreCopy) (out []transfer.Copied, err error) {
	switch {
	case c.From == c.To:
		return nil, fmt.Errorf("--from and --to are both %s", c.From)
	case p.Store.URL.IsZero():
		return nil, errors.New("it is not known where the PostgreSQL database is: set [store] url or urlFile in config.toml, or AL_STORE_URL")
	}
	lock, err := lockProject(p.Dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	living, err := gatewaysOf(p.Dir)
	if err != nil {
		return nil, fmt.Errorf("look for gateways that finish their runs: %w", err)
	}
	if len(living) > 0 {
		return nil, fmt.Errorf("%d gateways of this project still finish their runs; al stop ends them", len(living))
	}

	file, url := DatabaseFile(p.Dir), p.Store.URL.Reveal()
	var from, to side
	var finish func() error
	if c.From == StoreSQLite {
		from, err = sqlite.TransferFrom(ctx, file)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is nothing to copy: no gateway has used %s yet", file)
		}
	} else {
		from, err = postgres.TransferFrom(ctx, url)
	}
	if err != nil {
		return nil, inUse(err)
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if c.To == StoreSQLite {
		var s *sqlite.Transfer
		if s, err = sqlite.TransferTo(ctx, file, c.Anew); err == nil {
			to, finish = s, s.Finish
		}
	} else {
		var s *postgres.Transfer
		if s, err = postgres.TransferTo(ctx, url, c.Anew); err == nil {
			to, finish = s, s.Finish
		}
	}
	if err != nil {
		return nil, inUse(err)
	}
	defer func() { err = errors.Join(err, to.Close()) }()

	if out, err = transfer.Copy(ctx, from, to, c.Progress); err != nil {
		if errors.Is(err, transfer.ErrDiffers) {
			return nil, fmt.Errorf("%w; the source has changed since the copy began: --restart copies all of it anew", err)
		}
		return nil, fmt.Errorf("%w; the same command goes on where it ended", err)
	}
	return out, finish()
}

func inUse(err error) error {
	if errors.Is(err, postgres.ErrInUse) {
		return fmt.Errorf("%w; stop it on all hosts first", err)
	}
	return err
}
