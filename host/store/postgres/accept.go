package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/action-llama/gateway/host/internal/stored"
	"github.com/action-llama/gateway/host/store"
)

// verdicts are those of al_accept.
var verdicts = map[string]store.Verdict{
	"enqueued": store.Enqueued, "duplicate": store.Duplicate, "busy": store.Busy, "paused": store.Paused,
	"merged": store.Merged, "skipped": store.Skipped, "limited": store.Limited,
}

// Accept implements [store.Store].
func (s *Store) Accept(ctx context.Context, a store.Acceptance) (store.Accepted, error) {
	for i := range a.Jobs {
		if a.Jobs[i].Agent == "" {
			return store.Accepted{}, fmt.Errorf("accept: job %d names no agent", i)
		}
	}
	asked := accepting{jobs: a.Jobs, at: s.at(a.At)}
	w := &work{ask: asked.ask, hear: asked.hear}
	if a.Receipt != nil {
		r, err := encodeReceipt(*a.Receipt)
		if err != nil {
			return store.Accepted{}, fmt.Errorf("accept: %w", err)
		}
		asked.receipt = &r
		w.stores = r.size()
		w.bytes = int(r.size())
	}
	asked.encode()
	for i := range a.Jobs {
		w.bytes += len(asked.columns.context[i])
		w.locks.agents = append(w.locks.agents, a.Jobs[i].Agent)
	}
	// A repeat is recognised by its key, so a caller who left early can come
	// back with the same request. It need not wait beyond its deadline.
	if err := s.write(ctx, false, w); err != nil {
		return store.Accepted{}, fmt.Errorf("accept: %w", err)
	}
	s.talk.accepted(asked.out)
	return asked.out, nil
}

// accepting is an acceptance on its way.
type accepting struct {
	jobs    []store.NewJob
	at      *int64
	receipt *receipt
	columns columns
	out     store.Accepted
}

// columns are the jobs of an acceptance as al_accept takes them.
type columns struct {
	agent, trigger, source, provider, event, deliveryID, key []string
	again, onlyIfFree                                        []bool
	tick                                                     []int64
	concurrencyKey, onBusy, burst                            []string
	quiet, longest                                           []int64
	entity, sender                                           []string
	loopLimit, loopWindow                                    []int64
	sensitive                                                []string
	codec                                                    []int16
	context                                                  [][]byte
}

func (a *accepting) encode() {
	c := &a.columns
	c.context = make([][]byte, 0, len(a.jobs)) // an array even if there is none
	for i := range a.jobs {
		j := &a.jobs[i]
		c.agent = append(c.agent, encodeText(j.Agent))
		c.trigger = append(c.trigger, encodeText(string(j.Trigger)))
		c.source = append(c.source, encodeText(j.Source))
		c.provider = append(c.provider, encodeText(j.Provider))
		c.event = append(c.event, encodeText(j.Event))
		c.deliveryID = append(c.deliveryID, encodeText(j.DeliveryID))
		c.key = append(c.key, encodeText(j.Key))
		c.again = append(c.again, j.Again)
		c.onlyIfFree = append(c.onlyIfFree, j.OnlyIfFree)
		tick := int64(0)
		if at := nanos(j.Tick); at != nil {
			tick = *at
		}
		c.tick = append(c.tick, tick)
		c.concurrencyKey = append(c.concurrencyKey, encodeText(j.Concurrency.Key))
		c.onBusy = append(c.onBusy, encodeText(string(j.Concurrency.OnBusy)))
		c.burst = append(c.burst, encodeText(j.Debounce.Group))
		c.quiet = append(c.quiet, int64(j.Debounce.Quiet))
		c.longest = append(c.longest, int64(j.Debounce.Max))
		c.entity = append(c.entity, encodeText(j.Loop.Entity))
		c.sender = append(c.sender, encodeText(j.Loop.Sender))
		c.loopLimit = append(c.loopLimit, int64(j.Loop.Limit))
		c.loopWindow = append(c.loopWindow, int64(j.Loop.Window))
		c.sensitive = append(c.sensitive, encodeText(stored.Strings(j.Sensitive)))
		packed := stored.Pack(j.Context)
		if packed.Data == nil {
			packed.Data = []byte{}
		}
		c.codec = append(c.codec, packed.Codec)
		c.context = append(c.context, packed.Data)
	}
}

func (a *accepting) ask(b *pgx.Batch) {
	id := ""
	if a.receipt != nil {
		id = encodeText(a.receipt.ID)
		a.receipt.insert(b)
	}
	if len(a.jobs) == 0 {
		return
	}
	c := &a.columns
	b.Queue(`SELECT verdicts, ids, dropped_agents, dropped_ids, dropped_by, cancelled, tripped_agents, tripped_reasons
		FROM al_accept($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)`,
		a.at, id, c.agent, c.trigger, c.source, c.provider, c.event, c.deliveryID, c.key, c.again, c.onlyIfFree, c.tick,
		c.concurrencyKey, c.onBusy, c.burst, c.quiet, c.longest, c.entity, c.sender, c.loopLimit, c.loopWindow,
		c.sensitive, c.codec, c.context, store.MaxMerged)
}

func (a *accepting) hear(results pgx.BatchResults) error {
	a.out = store.Accepted{Verdicts: make([]store.Verdict, len(a.jobs)), IDs: make([]int64, len(a.jobs))}
	if a.receipt != nil {
		if _, err := results.Exec(); err != nil {
			return fmt.Errorf("receipt %s: %w", a.receipt.ID, err)
		}
	}
	if len(a.jobs) == 0 {
		return nil
	}
	var said, droppedAgents, trippedAgents, trippedReasons []string
	var droppedIDs, droppedBy []int64
	err := results.QueryRow().Scan(&said, &a.out.IDs, &droppedAgents, &droppedIDs, &droppedBy,
		&a.out.Cancelled, &trippedAgents, &trippedReasons)
	if err != nil {
		return err
	}
	for i, v := range said {
		a.out.Verdicts[i] = verdicts[v]
	}
	for i := range droppedIDs {
		a.out.Dropped = append(a.out.Dropped, store.Drop{Agent: decodeText(droppedAgents[i]), ID: droppedIDs[i], By: droppedBy[i]})
	}
	if len(a.out.Cancelled) == 0 {
		a.out.Cancelled = nil
	}
	for i := range a.out.Cancelled {
		a.out.Cancelled[i] = decodeText(a.out.Cancelled[i])
	}
	for i := range trippedAgents {
		a.out.Tripped = append(a.out.Tripped, store.Trip{Agent: decodeText(trippedAgents[i]), Reason: decodeText(trippedReasons[i])})
	}
	return nil
}
