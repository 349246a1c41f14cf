package ingest

import "testing"

// Whoever waits for the end of what was before waits for all of it.
func TestCurrent(t *testing.T) {
	t.Parallel()
	closed := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	var c current
	first, second, third := &Routes{}, &Routes{}, &Routes{}
	if !closed(c.replace(first)) {
		t.Error("waits for what was before the first")
	}
	got, done1 := c.use()
	_, done1too := c.use()
	if got != first {
		t.Error("not the first")
	}
	left1 := c.replace(second)
	got, done2 := c.use()
	if got != second {
		t.Error("not the second")
	}
	left2 := c.replace(third)
	done1()
	done2()
	if closed(left1) || closed(left2) {
		t.Error("a delivery of the first is under way still")
	}
	done1too()
	<-left1
	<-left2
	if !closed(c.replace(first)) {
		t.Error("nobody used the third, and it is waited for")
	}
}
