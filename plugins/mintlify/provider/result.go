package provider

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/action-llama/gateway/sdk"
)

// result is what a relay says of a build. The first names of each group are
// those that the original Action Llama took. The others are those of Mintlify's
// API (GET /v1/project/update-status), whose answer a relay can pass on as it
// is.
type result struct {
	Event  text `json:"event"`
	Action text `json:"action"`
	Status text `json:"status"`

	Project      text `json:"project"`
	Organization text `json:"organization"`
	ProjectID    text `json:"projectId"`
	Subdomain    text `json:"subdomain"`

	Title       text `json:"title"`
	Message     text `json:"message"`
	Error       text `json:"error"`
	Description text `json:"description"`
	Summary     text `json:"summary"`

	URL        text `json:"url"`
	BuildURL   text `json:"build_url"`
	LogsURL    text `json:"logs_url"`
	PreviewURL text `json:"previewUrl"`

	Branch text `json:"branch"`
	Git    object[struct {
		Branch text `json:"branch"`
	}] `json:"git"`
	Commit object[struct {
		Ref     text `json:"ref"`
		SHA     text `json:"sha"`
		Message text `json:"message"`
	}] `json:"commit"`

	User object[struct {
		Email text `json:"email"`
		Name  text `json:"name"`
	}] `json:"user"`
	Author object[struct {
		Name text `json:"name"`
	}] `json:"author"`

	Timestamp text `json:"timestamp"`
	EndedAt   text `json:"endedAt"`
	CreatedAt text `json:"createdAt"`

	ID         id `json:"id"`
	DeliveryID id `json:"deliveryId"`
	StatusID   id `json:"_id"`

	Source text      `json:"source"`
	Logs   lastLines `json:"logs"`
}

// event says what happened, or that there is nothing to say: a body that names
// no action is no result.
func (r *result) event(req sdk.Request) (sdk.Event, bool) {
	name, action := r.named()
	if action == "" {
		return sdk.Event{}, false
	}
	conclusion := conclusionOf(action)
	e := sdk.Event{
		Name:       name,
		Action:     action,
		Repo:       firstOf(r.Project, r.Organization, r.ProjectID, r.Subdomain),
		Title:      firstOf(r.Title, text("Build "+action)),
		Body:       firstOf(r.Message, r.Error, r.Description, r.Summary),
		URL:        firstOf(r.URL, r.BuildURL, r.LogsURL, r.PreviewURL),
		Branch:     r.branch(),
		Conclusion: conclusion,
		Sender:     firstOf(r.User.get().Email, r.User.get().Name, r.Author.get().Name, "mintlify"),
		Extra:      r.extra(),
	}
	if conclusion == failure && r.Error != "" {
		e.Body = "Build failed: " + string(r.Error)
	}
	at := r.at()
	e.DeliveryID = r.key(e, !at.IsZero(), req)
	if at.IsZero() {
		at = req.ReceivedAt.UTC()
	}
	e.Timestamp = at

	e.Attributes = map[string][]string{"event": {name}, "action": spellings(action)}
	if projects := r.projects(); len(projects) > 0 {
		e.Attributes["project"] = projects
	}
	if e.Branch != "" {
		e.Attributes["branch"] = []string{e.Branch}
	}
	return e, true
}

// projects are the words that a filter may use for the project. Mintlify's API
// knows it by id and by subdomain.
func (r *result) projects() []string {
	if named := firstOf(r.Project, r.Organization); named != "" {
		return []string{named}
	}
	return slices.DeleteFunc([]string{string(r.ProjectID), string(r.Subdomain)}, func(s string) bool { return s == "" })
}

// named returns event and action. Older notes have both in one word.
func (r *result) named() (event, action string) {
	event, action = firstOf(r.Event, "build"), firstOf(r.Action, r.Status)
	if i := strings.LastIndexByte(event, '.'); action == "" && i > 0 {
		event, action = event[:i], event[i+1:]
	}
	return event, action
}

const (
	success = "success"
	failure = "failure"
)

// conclusionOf knows the words that users of the original filter by and those
// of Mintlify's API. Whatever else there is goes on.
func conclusionOf(action string) string {
	switch strings.ToLower(action) {
	case "failed", failure:
		return failure
	case "succeeded", success:
		return success
	default:
		return ""
	}
}

// spellings are the words that a filter may use for an action.
func spellings(action string) []string {
	switch conclusionOf(action) {
	case failure:
		return []string{"failed", failure}
	case success:
		return []string{"succeeded", success}
	default:
		return []string{action}
	}
}

// branch is empty when none is named: a filter on main must not match what may
// be another branch's.
func (r *result) branch() string {
	for _, ref := range []text{r.Branch, r.Git.get().Branch, r.Commit.get().Ref} {
		name := strings.TrimPrefix(string(ref), "refs/heads/")
		if name != "" && !strings.HasPrefix(name, "refs/") { // a tag
			return name
		}
	}
	return ""
}

func (r *result) at() time.Time {
	for _, s := range []text{r.Timestamp, r.EndedAt, r.CreatedAt} {
		if t := sdk.ParseTime(string(s)); !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// repeatWindow is how long a relay may take for its retries. A body without a
// time and an id is that of the next failure, too, so it can not count as a
// repeat for ever.
const repeatWindow = 10 * time.Minute

// key tells a retry from another result. One build has several results.
func (r *result) key(e sdk.Event, hasTime bool, req sdk.Request) string {
	if i := firstOf(text(r.ID), text(r.DeliveryID), text(r.StatusID)); i != "" {
		return strings.Join([]string{e.Name, e.Repo, i, spellings(e.Action)[0]}, ":")
	}
	sum := sha256.Sum256(req.Body)
	digest := "body:" + hex.EncodeToString(sum[:16])
	if hasTime {
		return digest
	}
	return digest + ":" + strconv.FormatInt(req.ReceivedAt.Unix()/int64(repeatWindow/time.Second), 10)
}

// extra is what else an agent that mends a build can use.
func (r *result) extra() map[string]any {
	extra := map[string]any{}
	for name, value := range map[string]string{
		"id":            firstOf(text(r.ID), text(r.DeliveryID), text(r.StatusID)),
		"subdomain":     string(r.Subdomain),
		"commitSha":     string(r.Commit.get().SHA),
		"commitMessage": string(r.Commit.get().Message),
		"startedBy":     string(r.Source),
		"previewUrl":    string(r.PreviewURL),
		"log":           lastOf(r.Logs),
	} {
		if value != "" {
			extra[name] = sdk.Truncate(value)
		}
	}
	if len(extra) == 0 {
		return nil
	}
	return extra
}

// lastOf joins as many of the last lines as are sure not to be cut off: of a
// log, the end says why.
func lastOf(lines []string) string {
	from, size := len(lines), 0
	for from > 0 && size+len(lines[from-1])+1 <= sdk.MaxTextRunes {
		from--
		size += len(lines[from]) + 1
	}
	if from == len(lines) && from > 0 { // one line that is longer
		return lines[from-1]
	}
	return strings.Join(lines[from:], "\n")
}

func firstOf(texts ...text) string {
	for _, t := range texts {
		if t != "" {
			return string(t)
		}
	}
	return ""
}
