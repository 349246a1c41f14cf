package queue

import "time"

// pass lets time pass in a synctest bubble, where the clock moves when every
// goroutine waits: nothing really sleeps.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // of a fake clock
}
