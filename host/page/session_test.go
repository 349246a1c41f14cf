package page

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	s := serve(t, &fake{})
	for _, wrong := range []string{"", "the right ke", "the right keys", "THE RIGHT KEY"} {
		if resp, _ := s.ask("POST", "/login", url.Values{"key": {wrong}}); resp.StatusCode != http.StatusUnauthorized || len(resp.Cookies()) > 0 {
			t.Errorf("%q answered %d, with %v", wrong, resp.StatusCode, resp.Cookies())
		}
	}
	c := s.login().Cookies()
	if len(c) != 1 || !c[0].HttpOnly || c[0].SameSite != http.SameSiteStrictMode || c[0].Path != "/" || c[0].Secure || c[0].MaxAge <= 0 {
		t.Fatalf("the cookie is %+v", c)
	}
	if resp, _ := s.ask("GET", "/", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("after a login / answers %d", resp.StatusCode)
	}
	if resp, _ := s.ask("POST", "/logout", url.Values{}); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("the logout answered %d", resp.StatusCode)
	}
	resp, _ := s.ask("GET", "/", nil, "Cookie", c[0].Name+"="+c[0].Value)
	if resp.StatusCode != http.StatusSeeOther {
		t.Errorf("a session that was ended still works: %d", resp.StatusCode)
	}
	tls, _ := s.ask("POST", "/login", url.Values{"key": {s.key}}, "X-Forwarded-Proto", "https")
	if c := tls.Cookies(); len(c) != 1 || !c[0].Secure {
		t.Errorf("by TLS the cookie is %+v", c)
	}
}

func TestAnotherKeyEndsSessions(t *testing.T) {
	t.Parallel()
	s := serve(t, &fake{})
	s.login()
	s.set(func() { s.key = "another key" })
	if resp, _ := s.ask("GET", "/", nil); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("with another key / answers %d", resp.StatusCode)
	}
	s.set(func() { s.key = "" })
	if resp, _ := s.ask("POST", "/login", url.Values{"key": {""}}); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a key the login answers %d", resp.StatusCode)
	}
}

func TestSessionsEndAndAreNotForged(t *testing.T) {
	t.Parallel()
	s := newSessions(func() string { return "key" })
	now := time.Now()
	token := s.begin(now)
	if _, _, ok := s.read(token, now.Add(sessionLife-time.Minute)); !ok {
		t.Error("it ends too early")
	}
	if _, _, ok := s.read(token, now.Add(sessionLife+time.Second)); ok {
		t.Error("it does not end")
	}
	if s.begin(now) == token {
		t.Error("two sessions are the same")
	}
	for i := range token {
		forged := []byte(token)
		forged[i] ^= 1
		if _, _, ok := s.read(string(forged), now); ok {
			t.Errorf("%s is taken for %s", forged, token)
		}
	}
	for _, text := range []string{"", ".", "..", strings.Repeat("a", 1000) + "." + "b"} {
		if _, _, ok := s.read(text, now); ok {
			t.Errorf("%q is taken for a session", text)
		}
	}
}

func TestLoginAttemptsAreLimited(t *testing.T) {
	t.Parallel()
	s := serve(t, &fake{})
	refused := 0
	for range attemptsBurst + 5 {
		if resp, _ := s.ask("POST", "/login", url.Values{"key": {"guess"}}); resp.StatusCode == http.StatusTooManyRequests {
			refused++
			if resp.Header.Get("Retry-After") == "" {
				t.Error("nobody is told for how long")
			}
		}
	}
	if refused == 0 {
		t.Error("guesses are not limited")
	}
	if resp, _ := s.ask("POST", "/login", url.Values{"key": {s.key}}); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the right guess is told from others: %d", resp.StatusCode)
	}

	a, now := newAttempts(), time.Now()
	for range attemptsBurst {
		a.take("192.0.2.1:1", now)
	}
	if a.take("192.0.2.1:2", now) == 0 || a.take("192.0.2.2:1", now) != 0 || a.take("192.0.2.1:3", now.Add(attemptsEvery)) != 0 {
		t.Error("addresses are not told apart, or never forgiven")
	}
	if len(a.of) == 0 {
		t.Fatal("nothing is counted")
	}
	for i := range 3 * maxAddresses {
		a.take("10."+strings.Join([]string{itoa(i / 65536), itoa(i / 256 % 256), itoa(i % 256)}, ".")+":1", now)
	}
	if len(a.of) > maxAddresses {
		t.Errorf("%d addresses are kept", len(a.of))
	}
}

func itoa(n int) string { raw, _ := json.Marshal(n); return string(raw) }

func TestNextStaysHere(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"/runs?state=done": "/runs?state=done", "": "/", "//evil.example": "/", "/\\evil.example": "/", "https://evil.example": "/", "runs": "/",
		"/\tevil": "/", "javascript:alert(1)": "/", "/login?next=/login": "/",
	} {
		if got := local(next); got != want {
			t.Errorf("%q leads to %q", next, got)
		}
	}
}
