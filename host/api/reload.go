package api

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Configuring is about what the gateway goes by.
type Configuring interface {
	// Reload takes up the configuration that is on the disk now, all of it or,
	// when something is wrong with it, nothing. That is no error: it is in what
	// is returned. Providers whose file is another one now are replaced, each
	// for itself.
	Reload(ctx context.Context) (Reloaded, error)
}

// Reloaded is what became of a reload. Fields are added, never renamed.
type Reloaded struct {
	OK      bool   `json:"ok"`
	Outcome string `json:"outcome"`          // of the configuration; one of the three below
	Detail  string `json:"detail,omitempty"` // why it failed
	// Config is what the gateway goes by now.
	Config  ConfigStatus `json:"config"`
	Changes []Change     `json:"changes"`
	// Problems are those of the configuration on the disk. Warnings do not keep
	// it from being taken up.
	Problems []Problem `json:"problems"`
	// Providers are those whose file is another one than that which ran. One
	// that was not replaced makes OK false.
	Providers []ProviderReloaded `json:"providers"`
}

// Outcomes of a reload.
const (
	ReloadDone      = "reloaded"
	ReloadUnchanged = "unchanged"
	ReloadFailed    = "failed" // what was before stays
)

// Change is one difference to the configuration before.
type Change struct {
	Subject string `json:"subject"` // setting, source, agent or credential
	Name    string `json:"name"`
	Change  string `json:"change"` // added, changed or removed
}

func (c Change) String() string { return c.Subject + " " + c.Name + " " + c.Change }

// Problem is something that is wrong in a file of the project.
type Problem struct {
	Severity string `json:"severity"` // error, warning or note
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Message  string `json:"message"`
	Fix      string `json:"fix,omitempty"`
}

// String is file:line:col, what is wrong, and what to do.
func (p Problem) String() string {
	text := p.File
	if p.Line > 0 {
		text = fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
	text += ": " + p.Message
	if p.Fix != "" {
		text += "; " + p.Fix
	}
	return text
}

// ConfigStatus is the configuration that a gateway goes by.
type ConfigStatus struct {
	LoadedAt time.Time `json:"loadedAt"`
	Digest   string    `json:"digest"` // the same for the same files
	// NeedRestart are the keys whose values in the files take effect when the
	// gateway is started again.
	NeedRestart []string `json:"needRestart,omitempty"`
	// Error is why the files that are there now were not taken up, and FailedAt
	// when that was last tried.
	Error    string     `json:"error,omitempty"`
	FailedAt *time.Time `json:"failedAt,omitempty"`
}

// reloadPatience is for providers that have to be started first.
const reloadPatience = 25 * time.Second

func reloadRoutes(g Configuring) []route {
	return []route{
		{"POST /api/reload", func(r *http.Request) (any, error) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), reloadPatience)
			defer cancel()
			out, err := g.Reload(ctx)
			if err != nil {
				return nil, err
			}
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				status := http.StatusOK
				if !out.OK {
					status = http.StatusUnprocessableEntity
				}
				writeJSON(w, status, out)
			}), nil
		}},
	}
}

// Reload implements [Configuring].
func (c *Client) Reload(ctx context.Context) (Reloaded, error) {
	var out Reloaded
	return out, c.judged(ctx, "/api/reload", &out)
}
