package ingest

import "sync"

// current is the routes of now, and the deliveries that are judged by them.
type current struct {
	mu  sync.Mutex
	now *generation
}

// generation counts the deliveries of one picture of the configuration.
type generation struct {
	routes *Routes
	users  int // and one more for as long as it is the current one
	older  <-chan struct{}
	left   chan struct{} // closed when nobody uses this or an older one
}

// use returns the routes of now. They are in use until done is called.
func (c *current) use() (_ *Routes, done func()) {
	c.mu.Lock()
	g := c.now
	g.users++
	c.mu.Unlock()
	return g.routes, func() { c.release(g) }
}

func (c *current) release(g *generation) {
	c.mu.Lock()
	g.users--
	last := g.users == 0
	c.mu.Unlock()
	if last {
		g.leave()
	}
}

// leave tells that a generation is not used any more, in the order in which they
// came: a delivery that takes long may be of one long before.
func (g *generation) leave() {
	select {
	case <-g.older:
		close(g.left)
	default:
		go func() { // ends with the deliveries, each of which has its deadlines
			<-g.older
			close(g.left)
		}()
	}
}

// replace makes other routes those of now. The channel is closed when no
// delivery uses any that came before.
func (c *current) replace(r *Routes) <-chan struct{} {
	next := &generation{routes: r, users: 1, left: make(chan struct{})}
	c.mu.Lock()
	before := c.now
	if before == nil {
		none := make(chan struct{})
		close(none)
		next.older = none
		c.now = next
		c.mu.Unlock()
		return none
	}
	next.older = before.left
	c.now = next
	c.mu.Unlock()
	c.release(before)
	return before.left
}
