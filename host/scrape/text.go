package scrape

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// text is what is kept in one of the text formats, and puts scrapes together.
// Its encoder is that of Prometheus, a family of a part at a time: comments
// come first and are the same for all parts, the rest are lines of samples.
type text struct {
	format   expfmt.Format
	index    map[string]int // of families, by name
	families []family
	kept     map[*Part]kept
}

type family struct {
	name  string
	head  []byte   // HELP, TYPE and UNIT
	lines [][]byte // of the scrape that is put together
}

// kept are the lines of a part.
type kept struct {
	changes uint64 // of the part, before it was gathered
	lines   []lines
}

// lines are samples of a family.
type lines struct {
	family int
	text   []byte
}

func newText(f expfmt.Format) *text {
	return &text{format: f, index: map[string]int{}, kept: map[*Part]kept{}}
}

// of returns the lines of a part, encoded again if it changed.
func (t *text) of(p *Part) ([]lines, error) {
	changes := p.changes.Load() // first: what changes from now on is for the next scrape too
	if k, ok := t.kept[p]; ok && k.changes == changes {
		return k.lines, nil
	}
	delete(t.kept, p)
	families, err := p.source.Gather()
	out, failed := t.encode(families)
	if err := errors.Join(err, failed); err != nil {
		return out, fmt.Errorf("gather metrics of %s: %w", p.name, err)
	}
	t.kept[p] = kept{changes: changes, lines: out}
	return out, nil
}

// forget drops what is kept of parts that are gone.
func (t *text) forget(there []*Part) {
	if len(t.kept) <= len(there) {
		return
	}
	set := make(map[*Part]bool, len(there))
	for _, p := range there {
		set[p] = true
	}
	for p := range t.kept {
		if !set[p] {
			delete(t.kept, p)
		}
	}
}

// encode returns the lines of families. Those that can not be encoded are left
// out.
func (t *text) encode(families []*dto.MetricFamily) ([]lines, error) {
	var buf bytes.Buffer
	var errs []error
	enc := expfmt.NewEncoder(&buf, t.format)
	type span struct{ family, from, to int }
	spans := make([]span, 0, len(families))
	for _, f := range families {
		from := buf.Len()
		if err := enc.Encode(f); err != nil {
			errs = append(errs, fmt.Errorf("encode %s: %w", f.GetName(), err))
			buf.Truncate(from)
			continue
		}
		head := comments(buf.Bytes()[from:])
		i, ok := t.index[f.GetName()]
		if !ok {
			i = len(t.families)
			t.index[f.GetName()] = i
			t.families = append(t.families, family{name: f.GetName(), head: bytes.Clone(buf.Bytes()[from : from+head])})
		}
		spans = append(spans, span{i, from + head, buf.Len()})
	}
	all := bytes.Clone(buf.Bytes()) // without the room to grow
	out := make([]lines, 0, len(spans))
	for _, s := range spans {
		out = append(out, lines{s.family, all[s.from:s.to]})
	}
	return out, errors.Join(errs...)
}

// comments returns the length of the lines at the head of a family that are no
// samples.
func comments(text []byte) int {
	n := 0
	for n < len(text) && text[n] == '#' {
		end := bytes.IndexByte(text[n:], '\n')
		if end < 0 {
			return len(text)
		}
		n += end + 1
	}
	return n
}

func (t *text) begin() {
	for i := range t.families {
		t.families[i].lines = t.families[i].lines[:0]
	}
}

func (t *text) add(some []lines) {
	for _, l := range some {
		f := &t.families[l.family]
		f.lines = append(f.lines, l.text)
	}
}

// empty says that there are no samples.
func (t *text) empty() bool {
	return !slices.ContainsFunc(t.families, func(f family) bool { return len(f.lines) > 0 })
}

// end returns the whole, family by family.
func (t *text) end() [][]byte {
	order := make([]int, len(t.families))
	pieces := 1
	for i := range order {
		order[i] = i
		pieces += 1 + len(t.families[i].lines)
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(t.families[a].name, t.families[b].name) })
	out := make([][]byte, 0, pieces)
	for _, i := range order {
		if f := t.families[i]; len(f.lines) > 0 {
			out = append(append(out, f.head), f.lines...)
		}
	}
	if t.format.FormatType() == expfmt.TypeOpenMetrics {
		var eof bytes.Buffer
		_, _ = expfmt.FinalizeOpenMetrics(&eof) // a buffer takes it
		out = append(out, eof.Bytes())
	}
	return out
}
