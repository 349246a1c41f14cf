package runner

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

type memoryFile struct {
	bytes.Buffer
	closed bool
}

func (f *memoryFile) Close() error { f.closed = true; return nil }

func TestOutputKeepsBeginningAndEnd(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&all, "line %04d\n", i)
	}
	text := all.String() // 10,000 bytes
	for _, tt := range []struct {
		name  string
		limit int64
		cut   bool
	}{
		{"fits with room", 1 << 20, false},
		{"fits exactly", 10_000, false},
		{"one byte too long", 9_999, true},
		{"much too long", 1_000, true},
		{"much too long, uneven", 1_017, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, size := range []int{1, 7, 100, 4096, len(text)} {
				f := &memoryFile{}
				o := newOutput(f, tt.limit)
				for piece := range slices.Chunk([]byte(text), size) {
					if n, err := o.Write(piece); n != len(piece) || err != nil {
						t.Fatal(n, err)
					}
				}
				if grown := cap(o.tail.ring); int64(grown) > tt.limit {
					t.Errorf("pieces of %d: %d bytes in memory, the limit is %d", size, grown, tt.limit)
				}
				if err := o.Close(); err != nil || !f.closed {
					t.Fatal(err, f.closed)
				}
				head, end, cut := strings.Cut(f.String(), "\n[al: ")
				if cut != tt.cut || o.Truncated() != tt.cut {
					t.Fatalf("pieces of %d: cut %v, reported %v, want %v", size, cut, o.Truncated(), tt.cut)
				}
				left := 0
				if cut {
					number, rest, _ := strings.Cut(end, " bytes of output left out here]\n")
					left, end = atoi(t, number), rest
				}
				if !strings.HasPrefix(text, head) || !strings.HasSuffix(text, end) || len(head)+len(end)+left != len(text) {
					t.Errorf("pieces of %d: kept %q and %q, %d left out", size, head, end, left)
				}
				if int64(len(head)+len(end)) > tt.limit || int64(len(head)+len(end)) < min(tt.limit, 10_000)-20 {
					t.Errorf("pieces of %d: kept %d bytes of at most %d", size, len(head)+len(end), tt.limit)
				}
				if cut && !strings.HasPrefix(end, "line ") {
					t.Errorf("pieces of %d: the end starts within a line: %q", size, end[:20])
				}
			}
		})
	}
}

func TestOutputWithoutLines(t *testing.T) {
	t.Parallel()
	f := &memoryFile{}
	o := newOutput(f, 8)
	_, _ = o.Write([]byte("0123456789abcdef"))
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if want := "0123\n[al: 8 bytes of output left out here]\ncdef"; f.String() != want {
		t.Errorf("got %q, want %q", f.String(), want)
	}
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
