package ingest

import (
	"encoding/json"
	"net/http"
	"strconv"

	"golang.org/x/net/http/httpguts"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
	"github.com/action-llama/gateway/sdk"
)

// answer is a whole HTTP answer, made before any of it is written.
type answer struct {
	status int
	header http.Header
	body   []byte
	// word says why it is a refusal; empty for what is none.
	word string
	// overdue: it is one because the vendor would not have waited longer.
	overdue bool
}

// Summary is the host's own answer to a delivery.
type Summary struct {
	OK        bool   `json:"ok"`
	Receipt   string `json:"receipt"`
	Events    int    `json:"events"`
	Matched   int    `json:"matched"`
	Queued    int    `json:"queued"`
	Merged    int    `json:"merged,omitempty"` // of the matched, into jobs that wait for the end of a burst
	Dropped   int    `json:"dropped"`
	Duplicate bool   `json:"duplicate,omitempty"`
}

// count adds what became of the jobs.
func (s *Summary) count(accepted store.Accepted) {
	s.Dropped = len(accepted.Dropped)
	for _, verdict := range accepted.Verdicts {
		switch verdict {
		case store.Enqueued:
			s.Queued++
		case store.Merged:
			s.Merged++
		case store.Skipped, store.Limited:
			s.Dropped++
		default:
		}
	}
	s.Duplicate = accepted.Outcome(job.Queued) == job.Duplicate
}

func (s Summary) answer() answer { return jsonAnswer(http.StatusOK, s) }

type refusal struct {
	OK     bool   `json:"ok"`
	Error  string `json:"error"` // a word from a short list
	Detail string `json:"detail"`
}

func jsonAnswer(status int, v any) answer {
	body, err := json.Marshal(v)
	if err != nil { // not for the flat structs above
		return answer{status: http.StatusInternalServerError}
	}
	return answer{status: status, header: http.Header{"Content-Type": {"application/json"}}, body: append(body, '\n')}
}

// refuse says no for good: the same request will not do better.
func refuse(status int, word, detail string) answer {
	a := jsonAnswer(status, refusal{Error: word, Detail: detail})
	a.word = word
	return a
}

func refuseMethod(challenges bool) answer {
	a := refuse(http.StatusMethodNotAllowed, "method", "deliveries are sent by POST")
	a.header.Set("Allow", http.MethodPost)
	if challenges {
		a.header.Set("Allow", "GET, POST")
	}
	return a
}

// retryAfter is what senders that honour it are asked to wait. A provider is
// back within a second, and so is a store that was locked.
const retryAfter = 2

// unavailable says that the sender should try again.
func unavailable(word, detail string) answer {
	a := refuse(http.StatusServiceUnavailable, word, detail)
	a.header.Set("Retry-After", strconv.Itoa(retryAfter))
	return a
}

// closing ends the connection after the answer: what is left of the body is not
// worth reading.
func (a answer) closing() answer {
	a.header.Set("Connection", "close")
	return a
}

// maxReplyBody is far beyond what any vendor reads of an answer.
const maxReplyBody = 1 << 20

// fromProvider is a provider's exact reply, or 502 when no server could send
// it. Headers that are about the connection are the host's own business.
func fromProvider(r *sdk.Reply) answer {
	if r.Status < 200 || r.Status > 599 || len(r.Body) > maxReplyBody {
		return refuse(http.StatusBadGateway, "illegal_reply", "the provider's reply can not be sent")
	}
	a := answer{status: r.Status, header: make(http.Header, len(r.Header)), body: r.Body}
	for name, values := range r.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return refuse(http.StatusBadGateway, "illegal_reply", "the provider's reply can not be sent")
		}
		switch http.CanonicalHeaderKey(name) {
		case "Connection", "Content-Length", "Transfer-Encoding", "Trailer", "Upgrade", "Set-Cookie", "Keep-Alive":
			continue
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return refuse(http.StatusBadGateway, "illegal_reply", "the provider's reply can not be sent")
			}
			a.header.Add(name, value)
		}
	}
	return a
}

// write sends the answer and returns its status.
func (a answer) write(w http.ResponseWriter) int {
	h := w.Header()
	for name, values := range a.header {
		h[name] = values
	}
	if a.header.Get("Content-Type") == "" {
		h["Content-Type"] = nil // let nobody guess one
	}
	h.Set("X-Content-Type-Options", "nosniff")
	if a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		h.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	if a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		_, _ = w.Write(a.body) // a sender that is gone is not our problem
	}
	return a.status
}
