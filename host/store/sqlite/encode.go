package sqlite

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/action-llama/gateway/host/job"
)

const (
	codecNone = 0
	codecS2   = 1
)

// smallBody is below what compression gains anything worth its time for.
const smallBody = 128

// storedReceipt is a receipt in the form of its row, prepared by the caller so
// that the writer does not spend its time on compression.
type storedReceipt struct {
	job.Receipt
	sources string
	header  string
	packed  packed
}

func encodeReceipt(r job.Receipt) (storedReceipt, error) {
	if r.ID == "" {
		return storedReceipt{}, fmt.Errorf("receipt without id")
	}
	if r.ReceivedAt.IsZero() {
		return storedReceipt{}, fmt.Errorf("receipt %s: without the time of its receipt", r.ID)
	}
	header, err := json.Marshal(r.Header)
	if err != nil {
		return storedReceipt{}, fmt.Errorf("receipt %s: header: %w", r.ID, err)
	}
	out := storedReceipt{Receipt: r, sources: encodeStrings(r.Sources), header: string(header), packed: pack(r.Body)}
	out.Body = nil // only the stored form is kept while it waits
	return out, nil
}

// packed is bytes as they are stored.
type packed struct {
	codec int64
	bytes []byte
}

// pack compresses what gains by it. Fewer pages to write twice, to the log and
// to the file, are worth more than the time it takes.
func pack(raw []byte) packed {
	if len(raw) >= smallBody {
		if small := s2.Encode(nil, raw); len(small) < len(raw) {
			return packed{codecS2, small}
		}
	}
	return packed{codecNone, raw}
}

func (r *storedReceipt) size() int64 { return int64(len(r.header) + len(r.packed.bytes)) }

func unpack(codec int, stored []byte) ([]byte, error) {
	switch codec {
	case codecNone:
		return stored, nil
	case codecS2:
		return s2.Decode(nil, stored)
	default:
		return nil, fmt.Errorf("stored in an unknown form (%d)", codec)
	}
}

func decodeHeader(text string) (http.Header, error) {
	var h http.Header
	err := json.Unmarshal([]byte(text), &h)
	return h, err
}

func encodeStrings(list []string) string {
	if len(list) == 0 {
		return ""
	}
	text, err := json.Marshal(list)
	if err != nil {
		return "" // can not happen: strings always encode
	}
	return string(text)
}

func decodeStrings(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	var list []string
	err := json.Unmarshal([]byte(text), &list)
	return list, err
}

// nanos clamps to what fits, so that "forever" can be said with any far time.
func nanos(t time.Time) int64 {
	switch y := t.Year(); {
	case y > 2261:
		return math.MaxInt64
	case y < 1678:
		return math.MinInt64
	default:
		return t.UnixNano()
	}
}
