package storetest

import (
	"testing"
	"time"

	"github.com/action-llama/gateway/host/store"
)

var noteTests = map[string]func(*testing.T, *bench){
	"becomes durable with the next commit": func(t *testing.T, b *bench) {
		if !b.Note(b.receipt("01a")) {
			t.Fatal("not taken")
		}
		b.enqueue("dev")
		b.equal("receipts", b.receiptIDs(), []string{"01a"})
		want := b.receipt("01a")
		want.ReceivedAt = want.ReceivedAt.Add(-time.Second) // enqueue moved the clock
		got, err := b.Receipt(b.ctx, "01a")
		b.must(err)
		b.equal("receipt", got, want)
	},

	"is written without anybody else's commit": func(t *testing.T, b *bench) {
		b.Note(b.receipt("01a"))
		poll := time.NewTicker(time.Millisecond)
		defer poll.Stop()
		for len(b.receiptIDs()) == 0 {
			select {
			case <-poll.C:
			case <-b.ctx.Done():
				t.Fatal("never written")
			}
		}
	},

	"is written by Close": func(t *testing.T, b *bench) {
		b.Note(b.receipt("01a"))
		b.Note(b.receipt("01b"))
		b.reopen()
		b.equal("receipts", b.receiptIDs(), []string{"01b", "01a"})
	},

	"that can not be written spoils nothing else": func(t *testing.T, b *bench) {
		b.Note(b.receipt("01a"))
		b.Note(b.receipt("01a"))
		b.Note(b.receipt("01b"))
		rec := b.receipt("01c")
		_, err := b.Accept(b.ctx, store.Acceptance{Receipt: &rec, At: b.now})
		b.must(err)
		b.equal("receipts", b.receiptIDs(), []string{"01c", "01b", "01a"})
	},
}
