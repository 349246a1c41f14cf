package cli_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/api"
	"github.com/action-llama/gateway/host/deliveries"
)

// archive is a gateway with a few deliveries, which counts what it is asked to
// replay.
func archive(t *testing.T, n int, replayed *atomic.Int32) string {
	t.Helper()
	return stage(t, func(path string) any {
		if path == "/api/webhooks/replay" {
			replayed.Add(1)
			return api.ReplayResults{Replays: []deliveries.Replayed{{Of: "old", Receipt: "new", Events: 1, Matched: 1, Queued: 1}}}
		}
		list := api.Receipts{Receipts: []deliveries.Receipt{}}
		for i := range n {
			list.Receipts = append(list.Receipts, deliveries.Receipt{
				ID: fmt.Sprintf("r%d", n-i), Provider: "bell", Sources: []string{"ho\x1b[2Jme"}, Outcome: "queued", Events: 1,
				ReceivedAt: time.Date(2026, 3, 1, 12, 0, n-i, 0, time.Local),
			})
		}
		return list
	})
}

// A choice of many is counted and confirmed; anything but yes is no.
func TestReplayAsksBeforeMany(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]int32{"y": 1, "n": 0, "": 0} {
		var replayed atomic.Int32
		c := openConsole(t, atStage(archive(t, 3, &replayed)), "webhook", "replay", "--since", "1h")
		c.expect("Replay 3 deliveries, from 2026-03-01 12:00:01 to 2026-03-01 12:00:03? [y/N]")
		c.write(answer + "\n")
		if want > 0 {
			c.expect("old -> new  1 job queued")
		}
		if code := c.exitCode(); code != 0 || replayed.Load() != want {
			t.Errorf("answer %q: exit code %d, replayed %d times; want %d", answer, code, replayed.Load(), want)
		}
	}
}

// A gateway elsewhere is asked by its API, and nothing that strangers wrote
// reaches the terminal as more than text.
func TestDeliveriesOfAGatewayElsewhere(t *testing.T) {
	t.Parallel()
	c := openConsole(t, atStage(archive(t, 1, new(atomic.Int32))), "webhook", "ls")
	out := c.expect("queued")
	if code := c.exitCode(); code != 0 || strings.Contains(out, "\x1b[2J") || !strings.Contains(out, `bell/ho\u001b[2Jme`) {
		t.Errorf("exit code %d:\n%q", code, out)
	}
}
