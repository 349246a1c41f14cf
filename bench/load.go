package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/action-llama/gateway/sdk"
)

const secret = "a secret of usual length for a benchmark"

// payload is an issue with the label that the agent waits for, and as much
// around it as GitHub sends: about 12 KB.
var payload = func() []byte {
	user := func(login string, id int) string {
		base := "https://api.github.com/users/" + login
		return fmt.Sprintf(`{"login":%q,"id":%d,"node_id":"U_bench","avatar_url":"https://avatars.example.com/u/%d?v=4","gravatar_id":"","url":%q,"html_url":"https://github.com/%s","followers_url":"%s/followers","following_url":"%s/following{/other_user}","gists_url":"%s/gists{/gist_id}","starred_url":"%s/starred{/owner}{/repo}","subscriptions_url":"%s/subscriptions","organizations_url":"%s/orgs","repos_url":"%s/repos","events_url":"%s/events{/privacy}","received_events_url":"%s/received_events","type":"User","site_admin":false}`,
			login, id, id, base, login, base, base, base, base, base, base, base, base, base)
	}
	var urls strings.Builder
	for _, name := range []string{"keys", "collaborators", "teams", "hooks", "issue_events", "events", "assignees", "branches", "tags", "blobs", "git_tags", "git_refs", "trees", "statuses", "languages", "stargazers", "contributors", "subscribers", "subscription", "commits", "git_commits", "comments", "issue_comment", "contents", "compare", "merges", "archive", "downloads", "issues", "pulls", "milestones", "notifications", "labels", "releases", "deployments"} {
		fmt.Fprintf(&urls, `"%s_url":"https://api.github.com/repos/acme/widgets/%s{/%s_id}{/other}",`, name, name, name)
	}
	label := `{"id":5001,"node_id":"LA_bench","url":"https://api.github.com/repos/acme/widgets/labels/agent","name":"agent","color":"0e8a16","default":false,"description":"An agent looks at this"}`
	text := strings.Repeat("The widget falls over when the wind blows from the north, and stands when it does not. ", 18)
	return fmt.Appendf(nil, `{"action":"labeled","issue":{"url":"https://api.github.com/repos/acme/widgets/issues/42","html_url":"https://github.com/acme/widgets/issues/42","id":880042,"number":42,"title":"Widgets fall over when it is windy","user":%s,"labels":[%s],"state":"open","locked":false,"assignee":%s,"assignees":[%s],"milestone":null,"comments":3,"created_at":"2026-11-20T09:12:44Z","updated_at":"2026-11-23T08:00:01Z","closed_at":null,"author_association":"MEMBER","active_lock_reason":null,"body":%q,"reactions":{"total_count":0,"+1":0,"-1":0,"laugh":0,"hooray":0,"confused":0,"heart":0,"rocket":0,"eyes":0},"performed_via_github_app":null},"label":%s,"repository":{"id":710001,"node_id":"R_bench","name":"widgets","full_name":"acme/widgets","private":false,"owner":%s,"html_url":"https://github.com/acme/widgets","description":"Widgets, in all sizes","fork":false,%s"default_branch":"main","open_issues_count":3,"size":1024,"stargazers_count":12,"watchers_count":12,"language":"Go","topics":["widgets","wind"],"visibility":"public"},"organization":{"login":"acme","id":900,"url":"https://api.github.com/orgs/acme","description":"Makers of widgets"},"sender":%s}`,
		user("ada", 101), label, user("grace", 102), user("grace", 102), text, label, user("acme", 900), urls.String(), user("grace", 102))
}()

// result is one measurement.
type result struct {
	took      time.Duration
	latencies []time.Duration // sorted
	// Processor time of the gateway, its provider and the senders.
	host, provider, senders time.Duration
}

// cost is the processor time for one delivery. It says more than the rate when
// the machine has other things to do.
func (r result) cost() string {
	each := func(d time.Duration) int64 { return d.Microseconds() / int64(len(r.latencies)) }
	return fmt.Sprintf("host %d µs, provider %d µs, senders %d µs", each(r.host), each(r.provider), each(r.senders))
}

func (r result) rate() float64 { return float64(len(r.latencies)) / r.took.Seconds() }

func (r result) quantile(q float64) time.Duration {
	return r.latencies[min(len(r.latencies)-1, int(q*float64(len(r.latencies))))]
}

func (r result) figures() []string {
	ms := func(q float64) string {
		return fmt.Sprintf("p%g %.1f ms", 100*q, float64(r.quantile(q).Microseconds())/1000)
	}
	return []string{fmt.Sprintf("%.0f/s", r.rate()), ms(.5), ms(.99)}
}

func medianOf(rs []result) result {
	slices.SortFunc(rs, func(a, b result) int { return int(a.rate() - b.rate()) })
	return rs[len(rs)/2]
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}

// load sends deliveries from several connections for a time, or until there
// were as many as limit (if it is not 0). Each has an id of its own. The
// senders speak HTTP by hand: on one machine their cost is part of the figure.
func load(ctx context.Context, g *gateway, clients int, round time.Duration, limit int) (result, error) {
	return loadWith(ctx, g, clients, round, limit, githubRequests)
}

func loadWith(ctx context.Context, g *gateway, clients int, round time.Duration, limit int, newRequest func(address string) request) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, round)
	defer cancel()
	var sent atomic.Int64
	var mu sync.Mutex
	var r result
	var failure error
	var sending sync.WaitGroup
	provider := g.provider()
	r.host, r.provider, r.senders = -cpu(g.pid), -cpu(provider), -cpu(os.Getpid())
	began := time.Now()
	for range clients {
		sending.Go(func() {
			latencies, err := send(ctx, g.address(), newRequest(g.address()), func() bool {
				return ctx.Err() == nil && (limit == 0 || sent.Add(1) <= int64(limit))
			})
			mu.Lock()
			defer mu.Unlock()
			r.latencies = append(r.latencies, latencies...)
			if err != nil {
				failure = err
				cancel()
			}
		})
	}
	sending.Wait()
	r.took = time.Since(began)
	r.host += cpu(g.pid)
	r.provider += cpu(provider)
	r.senders += cpu(os.Getpid())
	if failure == nil && len(r.latencies) == 0 {
		failure = fmt.Errorf("nothing was sent")
	}
	slices.Sort(r.latencies)
	return r, failure
}

// request appends the bytes of a delivery with an id to a buffer.
type request func(buf []byte, id string) []byte

// githubRequests are those of the rows that are not about a vendor. The id is
// not signed, so that one signature serves for all.
func githubRequests(address string) request {
	head := fmt.Sprintf("POST /webhooks/github HTTP/1.1\r\nHost: %s\r\nUser-Agent: GitHub-Hookshot/bench\r\nAccept: */*\r\nContent-Type: application/json\r\nX-GitHub-Event: issues\r\nX-GitHub-Hook-ID: 292430182\r\nX-Hub-Signature-256: %s\r\nContent-Length: %d\r\nX-GitHub-Delivery: ",
		address, sdk.SignHMACSHA256("sha256=", secret, payload), len(payload))
	return func(buf []byte, id string) []byte {
		buf = append(buf, head...)
		buf = append(buf, id...)
		buf = append(buf, "\r\n\r\n"...)
		return append(buf, payload...)
	}
}

func send(ctx context.Context, address string, next request, more func() bool) ([]time.Duration, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	var buf []byte
	reader := bufio.NewReaderSize(conn, 4096)
	run := strconv.FormatUint(rand.Uint64(), 10) // digits, which fit into every vendor's ids
	var latencies []time.Duration
	for n := 0; more(); n++ {
		buf = next(buf[:0], run+strconv.Itoa(n))
		began := time.Now()
		if _, err := conn.Write(buf); err != nil {
			return latencies, err
		}
		err := receive(reader)
		if err == nil || errors.Is(err, errClosed) {
			latencies = append(latencies, time.Since(began))
		}
		if err != nil {
			return latencies, err
		}
	}
	return latencies, nil
}

// errClosed is the right answer, and the last on its connection.
var errClosed = errors.New("the gateway closes the connection")

// receive reads one answer and demands that it is the right one.
func receive(r *bufio.Reader) error {
	status, err := r.ReadString('\n')
	if err != nil {
		return err
	}
	length, last := 0, false
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		case bytes.EqualFold(name, []byte("Connection")):
			last = bytes.EqualFold(bytes.TrimSpace(value), []byte("close"))
		}
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(r, body); err != nil {
		return err
	}
	// Some vendors demand an empty answer; who is answered by the host is told
	// whether a job was queued.
	if !strings.Contains(status, " 200 ") || bytes.Contains(body, []byte(`"queued":0`)) {
		return fmt.Errorf("answered %s %s", strings.TrimSpace(status), bytes.TrimSpace(body))
	}
	if last {
		return errClosed
	}
	return nil
}
