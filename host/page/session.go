package page

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// cookieName is that of a session. Cookies do not know ports: a browser shows it
// to all that listens on the same host.
const cookieName = "al_session"

// sessionLife is a long working day.
const sessionLife = 12 * time.Hour

// sessions are cookies that say until when somebody who had the API key may look,
// signed with a key made of it. So another API key ends them all, a restart of
// the gateway ends none, and there is nothing to keep but which were ended.
type sessions struct {
	key      func() string
	attempts *attempts

	mu    sync.Mutex
	ended map[string]time.Time // by id, until they would have ended by themselves
}

// maxEnded bounds the memory for sessions that were ended by hand. Only who has
// the key can end any.
const maxEnded = 10_000

func newSessions(key func() string) *sessions {
	return &sessions{key: key, attempts: newAttempts(), ended: map[string]time.Time{}}
}

// isKey compares in the same time whatever is given.
func (s *sessions) isKey(given string) bool {
	key := s.key()
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(key))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && key != ""
}

// begin returns a new session.
func (s *sessions) begin(now time.Time) string {
	body := strconv.FormatInt(now.Add(sessionLife).Unix(), 36) + "." + rand.Text()
	return body + "." + s.sign(body)
}

func (s *sessions) sign(body string) string {
	secret := hmac.New(sha256.New, []byte(s.key()))
	secret.Write([]byte("al live page session"))
	mac := hmac.New(sha256.New, secret.Sum(nil))
	mac.Write([]byte(body))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// read returns the id of a session that holds, and when it ends.
func (s *sessions) read(token string, now time.Time) (id string, until time.Time, ok bool) {
	const longest = 200 // ours are half of that
	body, mac := "", ""
	if i := strings.LastIndexByte(token, '.'); i >= 0 && len(token) <= longest {
		body, mac = token[:i], token[i+1:]
	}
	if s.key() == "" || subtle.ConstantTimeCompare([]byte(mac), []byte(s.sign(body))) != 1 {
		return "", until, false
	}
	end, id, _ := strings.Cut(body, ".")
	unix, err := strconv.ParseInt(end, 36, 64)
	if err != nil {
		return "", until, false
	}
	until = time.Unix(unix, 0)
	s.mu.Lock()
	_, ended := s.ended[id]
	s.mu.Unlock()
	return id, until, !ended && now.Before(until)
}

// end makes a session worthless before its time.
func (s *sessions) end(token string, now time.Time) {
	id, until, ok := s.read(token, now)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for other, until := range s.ended {
		if now.After(until) {
			delete(s.ended, other)
		}
	}
	if len(s.ended) < maxEnded {
		s.ended[id] = until
	}
}

// holds says whether a request comes from somebody who logged in.
func (s *sessions) holds(r *http.Request) bool {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return false
	}
	_, _, ok := s.read(c.Value, time.Now())
	return ok
}

func sessionCookie(r *http.Request, value string, life time.Duration) *http.Cookie {
	came, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",") // of several proxies, the first
	return &http.Cookie{
		Name: cookieName, Value: value, Path: "/", MaxAge: int(life.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
		// Who lies about the way a request came only keeps the cookie from
		// coming back.
		Secure: r.TLS != nil || strings.EqualFold(strings.TrimSpace(came), "https"),
	}
}

// forThoseLoggedIn sends everybody else to the login, and from there back.
func (p *Page) forThoseLoggedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case p.sessions.holds(r):
			next.ServeHTTP(w, r)
		case r.Method == http.MethodGet && r.Header.Get("X-Al-Live") == "" && r.URL.Path != "/events":
			target := "/login"
			if r.URL.Path != "/" || r.URL.RawQuery != "" {
				target += "?" + url.Values{"next": {r.URL.RequestURI()}}.Encode()
			}
			http.Redirect(w, r, target, http.StatusSeeOther)
		default:
			p.fail(w, r, http.StatusUnauthorized, "Your session has ended. Log in again.")
		}
	})
}

// local is where to go after a login: a path of this page, or its beginning.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" ||
		!strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") ||
		strings.HasPrefix(next, "/login") {
		return "/"
	}
	return next
}

// loginView is what the login shows.
type loginView struct {
	frame
	Next    string
	Problem string
}

func (p *Page) loginForm(w http.ResponseWriter, r *http.Request) {
	next := local(r.FormValue("next"))
	if p.sessions.holds(r) {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	p.render(w, http.StatusOK, "login", loginView{frame: frame{Title: "Log in"}, Next: next})
}

// maxForm bounds what is read of a form. The largest thing in one is a prompt.
const maxForm = 1 << 20

func (p *Page) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	next := local(r.FormValue("next"))
	refuse := func(status int, problem string) {
		p.render(w, status, "login", loginView{frame: frame{Title: "Log in"}, Next: next, Problem: problem})
	}
	wait := p.sessions.attempts.take(r.RemoteAddr, time.Now())
	if wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())+1))
		refuse(http.StatusTooManyRequests, "Too many attempts. Try again in "+elapsed(wait+time.Second)+".")
		return
	}
	// White space around the key came with the clipboard.
	if !p.sessions.isKey(strings.TrimSpace(r.PostFormValue("key"))) {
		p.log.Warn("login refused: wrong key", "from", r.RemoteAddr)
		refuse(http.StatusUnauthorized, "That is not the key of this gateway.")
		return
	}
	p.log.Info("logged in to the page", "from", r.RemoteAddr)
	http.SetCookie(w, sessionCookie(r, p.sessions.begin(time.Now()), sessionLife))
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func (p *Page) logout(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(cookieName); err == nil {
		p.sessions.end(c.Value, time.Now())
	}
	http.SetCookie(w, sessionCookie(r, "", -time.Second))
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// session tells the script of the login whether there is one after all: a browser
// that follows a link from another site does not show a strict cookie, and does
// when the page itself asks.
func (p *Page) session(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, result{OK: p.sessions.holds(r)})
}
