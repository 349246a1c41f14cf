package sqlite

import (
	"fmt"

	"github.com/action-llama/gateway/host/internal/stored"
	"github.com/action-llama/gateway/host/job"
)

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
	header, err := stored.Header(r.Header)
	if err != nil {
		return storedReceipt{}, fmt.Errorf("receipt %s: header: %w", r.ID, err)
	}
	out := storedReceipt{Receipt: r, sources: stored.Strings(r.Sources), header: header, packed: pack(r.Body)}
	out.Body = nil // only the stored form is kept while it waits
	return out, nil
}

// packed is bytes as they are stored.
type packed struct {
	codec int64
	bytes []byte
}

func pack(raw []byte) packed {
	b := stored.Pack(raw)
	return packed{int64(b.Codec), b.Data}
}

func (r *storedReceipt) size() int64 { return int64(len(r.header) + len(r.packed.bytes)) }

func unpack(codec int, data []byte) ([]byte, error) {
	return stored.Bytes{Codec: int16(codec), Data: data}.Unpack()
}
