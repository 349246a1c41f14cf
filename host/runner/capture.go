package runner

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
)

// capture carries what a harness writes into output.log. The pipe is ours
// rather than os/exec's, so that a process which outlives the harness and
// keeps it open can not hold up the run.
type capture struct {
	r, w  *os.File
	log   *outputLog
	mask  *masker
	bytes int64
	done  chan struct{} // nil until follow
}

func openCapture(f files, secrets []string, limit int64) (*capture, error) {
	log, err := openOutput(f.output, limit)
	if err != nil {
		return nil, fmt.Errorf("open the output: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		_ = log.Close()
		return nil, fmt.Errorf("open a pipe for the output: %w", err)
	}
	return &capture{r: r, w: w, log: log, mask: newMasker(log, secrets)}, nil
}

// follow starts to read, the first time. Steps of a run share the end of the
// pipe that is written to.
func (c *capture) follow() {
	if c.done != nil {
		return
	}
	c.done = make(chan struct{})
	go func() {
		defer close(c.done)
		// Each piece goes out as it comes, for those who follow output.log.
		n, _ := io.CopyBuffer(struct{ io.Writer }{c.mask}, struct{ io.Reader }{c.r}, make([]byte, 32<<10))
		c.bytes = n
	}()
}

// finish reads what is left and closes output.log.
func (c *capture) finish(log hclog.Logger, res *Result) {
	_ = c.w.Close() // or reading would not end
	if c.done != nil {
		_ = c.r.SetReadDeadline(time.Now().Add(drainWait))
		<-c.done
	}
	_ = c.r.Close()
	_ = c.mask.Close() // outputLog keeps the error
	if err := c.log.Close(); err != nil {
		log.Warn("output not kept", "error", err)
	}
	res.OutputBytes = c.bytes
	res.Truncated = c.log.Truncated()
}
