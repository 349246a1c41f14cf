package sqlite

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/action-llama/gateway/host/job"
	"github.com/action-llama/gateway/host/store"
)

// crashed are the files of a store as a crash leaves them: some commits are in
// the main file, the later ones in the log.
type crashed struct {
	file, log []byte
	ends      []int // of the log after each commit in it
	old, all  int   // commits in the main file, and altogether
}

const damageBody = 3000

func crashedStore(t *testing.T) crashed {
	t.Helper()
	c := crashed{old: 5, all: 17}
	path := filepath.Join(t.TempDir(), "al.db")
	accept := func(s *Store, n int) {
		t.Helper()
		_, err := s.Accept(t.Context(), store.Acceptance{
			Receipt: &job.Receipt{ID: fmt.Sprintf("%03d", n), ReceivedAt: noon, Body: noise(damageBody)},
			Jobs:    []store.NewJob{{Agent: "dev", Key: fmt.Sprint(n)}}, At: noon,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	s := openStore(t, path, Options{})
	for n := range c.old {
		accept(s, n)
	}
	closeStore(t, s)
	s = openStore(t, path, Options{})
	defer closeStore(t, s)
	for n := c.old; n < c.all; n++ {
		accept(s, n)
		info, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		c.ends = append(c.ends, int(info.Size()))
	}
	var err error
	if c.file, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	if c.log, err = os.ReadFile(path + "-wal"); err != nil {
		t.Fatal(err)
	}
	return c
}

// write puts the files into a folder of their own. A nil log is none.
func (c crashed) write(t *testing.T, file, log []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "al.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if log != nil {
		if err := os.WriteFile(path+"-wal", log, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// holds opens a store and finds its first commits whole, and none besides.
func holds(t *testing.T, path string, commits int) {
	t.Helper()
	s := openStore(t, path, Options{})
	defer closeStore(t, s)
	checkCounts(t, s)
	receipts, err := s.Receipts(t.Context(), store.Query{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if len(receipts) != commits {
		t.Fatalf("%d receipts are there, want %d", len(receipts), commits)
	}
	for n := range commits {
		r, err := s.Receipt(t.Context(), fmt.Sprintf("%03d", n))
		if err != nil || len(r.Body) != damageBody {
			t.Errorf("receipt %d: %v, body of %d bytes", n, err, len(r.Body))
		}
	}
	queues, err := s.Queues(t.Context())
	if err != nil || len(queues) != 1 || queues[0].Waiting != commits {
		t.Errorf("queues %+v, %v; want %d waiting", queues, err, commits)
	}
	mustAccept(t, s, "dev", "goes on")
}

func refused(t *testing.T, path string, wants ...string) {
	t.Helper()
	before := contents(t, filepath.Dir(path))
	s, err := Open(context.Background(), path, Options{})
	if err == nil {
		closeStore(t, s)
		t.Fatal("opened")
	}
	for _, want := range append(wants, path) {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	if checked := Check(context.Background(), path, false); checked == nil {
		t.Error("it is not opened, and nothing is found wrong with it")
	} else {
		for _, want := range append(wants, path) {
			if !strings.Contains(checked.Error(), want) {
				t.Errorf("check says %q and not %q", checked, want)
			}
		}
	}
	after := contents(t, filepath.Dir(path))
	for _, name := range []string{"al.db", "al.db-wal"} {
		if before[name] != after[name] {
			t.Errorf("%s was changed by the refusal", name)
		}
	}
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, name := range files(t, dir) {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(raw)
	}
	return out
}

// A crash or a power cut leaves the last transaction incomplete in one way or
// another. It was answered nowhere; all before it is there.
func TestATornLogLosesNothingThatWasPromised(t *testing.T) {
	t.Parallel()
	c := crashedStore(t)
	for i, end := range c.ends {
		commits := c.old + i + 1
		next := len(c.log)
		if i+1 < len(c.ends) {
			next = c.ends[i+1]
		}
		for name, log := range map[string][]byte{
			"ends there":                    c.log[:end],
			"ends in the next frame":        c.log[:min(end+100, next)],
			"ends in the next commit":       c.log[:max(end, next-1)],
			"garbage behind it":             append(bytes.Clone(c.log[:end]), noise(10_000)...),
			"zeros behind it":               append(bytes.Clone(c.log[:end]), make([]byte, 10_000)...),
			"a torn frame behind it":        damaged(c.log[:next], max(end, next-2000), 100),
			"the first of the next is torn": damaged(c.log[:next], min(end+200, next), 100),
			"left frames of an older log":   append(bytes.Clone(c.log[:end]), otherLog(c.log[end:])...),
		} {
			t.Run(fmt.Sprintf("%d/%s", i, name), func(t *testing.T) {
				t.Parallel()
				want := commits
				if len(log) == next && next == end {
					want = commits // nothing is behind the last
				}
				holds(t, c.write(t, c.file, log), want)
			})
		}
	}
	t.Run("no log at all", func(t *testing.T) {
		t.Parallel()
		holds(t, c.write(t, c.file, nil), c.old)
	})
	t.Run("an empty one", func(t *testing.T) {
		t.Parallel()
		holds(t, c.write(t, c.file, []byte{}), c.old)
	})
	t.Run("cut in its header", func(t *testing.T) {
		t.Parallel()
		holds(t, c.write(t, c.file, c.log[:20]), c.old)
	})
}

// damaged returns a copy in which some bytes are others.
func damaged(b []byte, at, n int) []byte {
	b = bytes.Clone(b)
	for i := at; i < min(at+n, len(b)); i++ {
		b[i] ^= 0x5a
	}
	return b
}

// otherLog are frames as a log has them that was used before: whole, and with
// other salts. Their checksums do not fit, which is as it would be.
func otherLog(frames []byte) []byte {
	frames = bytes.Clone(frames)
	const frame = frameHeaderSize + pageSize
	for at := 0; at+frame <= len(frames); at += frame {
		frames[at+8]++
	}
	return frames
}

// Where the log is damaged in its middle SQLite would take the rest for never
// written. That was promised, so nobody is to find out later.
func TestADamagedLogIsRefused(t *testing.T) {
	t.Parallel()
	c := crashedStore(t)
	for name, log := range map[string][]byte{
		"a page":              damaged(c.log, c.ends[3]+2000, 10),
		"a frame's header":    damaged(c.log, c.ends[3]+8, 8),
		"a sector":            damaged(c.log, (c.ends[5]/512)*512, 512),
		"its first frame":     damaged(c.log, logHeaderSize+100, 1),
		"its header":          damaged(c.log, 4, 20),
		"several places":      damaged(damaged(c.log, c.ends[1]+100, 1), c.ends[8]+100, 1),
		"zeros over a commit": append(append(bytes.Clone(c.log[:c.ends[2]]), make([]byte, c.ends[3]-c.ends[2])...), c.log[c.ends[3]:]...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, c.write(t, c.file, log), "al.db-wal is damaged", "restore a backup", "truncate -s")
		})
	}
	t.Run("the way out", func(t *testing.T) {
		t.Parallel()
		path := c.write(t, c.file, damaged(c.log, c.ends[3]+2000, 10))
		err := checkLog(path)
		if want := fmt.Sprintf("truncate -s %d %s-wal", c.ends[3], path); err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("%v; want %q", err, want)
		}
		if err := os.Truncate(path+"-wal", int64(c.ends[3])); err != nil {
			t.Fatal(err)
		}
		holds(t, path, c.old+4)
	})
}

func TestADamagedFileIsRefused(t *testing.T) {
	t.Parallel()
	c := crashedStore(t)
	pages := len(c.file) / pageSize
	for name, file := range map[string][]byte{
		"its header":     damaged(c.file, 0, 16),
		"its schema":     damaged(c.file, 100, 8),
		"cut short":      c.file[:len(c.file)/2],
		"the last page":  append(bytes.Clone(c.file[:(pages-1)*pageSize]), noise(pageSize)...),
		"a page in it":   append(append(bytes.Clone(c.file[:pages/2*pageSize]), noise(pageSize)...), c.file[(pages/2+1)*pageSize:]...),
		"nothing but 0s": make([]byte, len(c.file)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, c.write(t, file, nil), "restore a backup")
		})
	}
}

// The index of the log is made anew, whatever became of it.
func TestTheIndexOfTheLogIsNotNeeded(t *testing.T) {
	t.Parallel()
	c := crashedStore(t)
	for name, shm := range map[string][]byte{"none": nil, "empty": {}, "garbage": noise(32 << 10), "short garbage": noise(100)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := c.write(t, c.file, c.log)
			if shm != nil {
				if err := os.WriteFile(path+"-shm", shm, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := Check(t.Context(), path, false); err != nil {
				t.Error(err)
			}
			holds(t, path, c.all)
		})
	}
}
