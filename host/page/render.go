package page

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/action-llama/gateway/host/api"
)

//go:embed templates/*.html
var templates embed.FS

// looks are the templates by the name of what they show.
type looks map[string]*template.Template

func loadLooks(a assets) (looks, error) {
	functions := template.FuncMap{
		"asset": a.url, "ago": agoOf,
		"stamp": stamp, "cut": cut, "bytes": bytesOf,
		"tone": tone, "words": words, "took": took, "join": strings.Join, "short": short, "add": func(a, b int) int { return a + b },
	}
	out := looks{}
	for _, name := range []string{"login", "overview", "deliveries", "delivery", "runs", "run", "job", "agent", "problem"} {
		t, err := template.New(name).Funcs(functions).ParseFS(templates, "templates/layout.html", "templates/parts.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("live page: %w", err)
		}
		out[name] = t
	}
	return out, nil
}

// frame is what is around every page. A page with a Nav is for those who logged
// in.
type frame struct {
	Title string
	Nav   string // which of the links is this page
	Live  string // topics whose changes concern it
	Every int    // milliseconds between two looks at it; 0 for the usual
	Run   string // whose output is followed, if any

	Status api.Status
	Totals totals
}

// frameOf fills in what the frame of every page needs.
func (p *Page) frameOf(ctx context.Context, title, nav, live string) (frame, error) {
	s, err := p.watch.look(ctx)
	return frame{Title: title, Nav: nav, Live: live, Status: s.status, Totals: s.totals}, err
}

// ProjectName is what a person calls the project.
func (f frame) ProjectName() string {
	dir := strings.TrimRight(f.Status.Project, "/")
	return dir[strings.LastIndexByte(dir, '/')+1:]
}

// show returns the template and the data for a page.
type show func(r *http.Request) (look string, view any, err error)

// elsewhere is an error of a show: what is asked for is at another address.
type elsewhere string

func (e elsewhere) Error() string { return "it is at " + string(e) }

// showing bounds the time of a page, and renders it.
func (p *Page) showing(s show) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		look, view, err := s(r.WithContext(ctx))
		var to elsewhere
		switch {
		case errors.As(err, &to):
			http.Redirect(w, r, string(to), http.StatusSeeOther)
		case err != nil:
			status, detail := p.trouble(r, err)
			p.fail(w, r, status, detail)
		default:
			p.render(w, http.StatusOK, look, view)
		}
	}
}

// render writes a page, whole or not at all.
func (p *Page) render(w http.ResponseWriter, status int, look string, view any) {
	var b bytes.Buffer
	if err := p.looks[look].ExecuteTemplate(&b, "page", view); err != nil {
		p.log.Error("page not rendered", "page", look, "error", err)
		http.Error(w, "The page could not be rendered; the gateway's log says why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(harmless(b.String()))) // a reader that is gone is not our problem
}

// problemView is a page about what did not work.
type problemView struct {
	frame
	Code   int
	Detail string
}

// fail says what did not work, in the form that was asked for.
func (p *Page) fail(w http.ResponseWriter, r *http.Request, status int, detail string) {
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	if wantsJSON(r) {
		writeJSON(w, status, result{Message: detail})
		return
	}
	f := frame{Title: http.StatusText(status)}
	if status != http.StatusUnauthorized && status != http.StatusForbidden {
		f.Nav = "problem"
	}
	p.render(w, status, "problem", problemView{frame: f, Code: status, Detail: detail})
}

// result is what the script is told about something that was done.
type result struct {
	OK      bool   `json:"ok"`
	Message string `json:"message"`
	Link    string `json:"link,omitempty"` // where to see more of it
	Go      bool   `json:"go,omitempty"`   // and go there at once
}

func wantsJSON(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "application/json")
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a reader that is gone is not our problem
}

// tone is how a state is coloured. All of them are written out, too.
func tone(state any) string {
	switch fmt.Sprint(state) {
	case "running", "starting":
		return "busy"
	case "done", "up", "queued", "yes":
		return "good"
	case "failed", "dead", "failing", "unparseable":
		return "bad"
	case "dropped", "full", "paused", "limited", "backoff", "held_back", "returned", "removed":
		return "warn"
	default:
		return "calm"
	}
}

// words is a state as it is read.
func words(state any) string { return strings.ReplaceAll(fmt.Sprint(state), "_", " ") }

// moment is a time, in a view: some are pointers.
func moment(at any) time.Time {
	switch t := at.(type) {
	case time.Time:
		return t
	case *time.Time:
		return *t
	default:
		return time.Time{}
	}
}

func agoOf(at any) string { return ago(moment(at), time.Now()) }

func stamp(at any) string { return moment(at).UTC().Format(time.RFC3339) }

// took is how long a run took or, while it runs, has taken.
func took(r api.RunStatus) string {
	end := time.Now()
	if r.EndedAt != nil {
		end = *r.EndedAt
	}
	return elapsed(end.Sub(r.StartedAt))
}

// short is the end of an id: of those of one day the beginning is the same.
func short(id string) string {
	const shown = 6
	if len(id) <= shown {
		return id
	}
	return id[len(id)-shown:]
}
