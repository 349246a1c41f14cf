package app

import (
	"context"
	"time"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

const (
	heardPages   = 10
	heardPage    = 100
	heardTimeout = 10 * time.Second
)

// recallEvents looks up when sources sent their last event before this start,
// for the metric that tells how long ago that is. It does so beside the rest:
// for a source that sends little, much may have to be looked at.
func (a *App) recallEvents(ctx context.Context) {
	for {
		for source, provider := range a.ingest.Unheard() {
			at, err := a.lastEventOf(ctx, provider, source)
			if err != nil {
				if ctx.Err() == nil {
					a.log.Debug("the last event of a source can not be looked up", "source", source, "error", err)
				}
				continue
			}
			a.ingest.Heard(source, at)
		}
		select {
		case <-ctx.Done():
			return
		case <-a.sources:
		}
	}
}

// lastEventOf looks through the newest receipts of a source for one that held an
// event and was sent by the vendor. Zero means that there is none.
func (a *App) lastEventOf(ctx context.Context, provider, source string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, heardTimeout)
	defer cancel()
	q := store.Query{Provider: provider, Source: source, Limit: heardPage}
	for range heardPages {
		receipts, err := a.store.Receipts(ctx, q)
		if err != nil {
			return time.Time{}, err
		}
		for _, r := range receipts {
			if sent(r) {
				return r.ReceivedAt, nil
			}
		}
		if len(receipts) < heardPage {
			break
		}
		q.Before = receipts[len(receipts)-1].ID
	}
	return time.Time{}, nil
}

func sent(r job.Receipt) bool { return r.Events > 0 && r.ReplayOf == "" }
