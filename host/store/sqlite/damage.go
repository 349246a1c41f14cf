package sqlite

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/bits"
	"os"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

// SQLite looks at a page when it needs it, and takes whatever it can not read
// in the log for the end of the log. The first lets damage show at any time,
// the second loses what was promised without a word. So both are looked at
// before anything is answered.

// maxCheckAtOpen is the size up to which the whole file is read when it is
// opened, which takes some 5 ms for each MiB. A larger one would keep a gateway
// from starting within the second; its damage shows when it is come upon, and
// al doctor looks for it.
const maxCheckAtOpen = 16 << 20

// checkFile reads the file of a connection, or when that is large its most
// important parts.
func checkFile(c *conn, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() <= maxCheckAtOpen {
		return quickCheck(c, `PRAGMA quick_check(1)`)
	}
	// Without these two nothing goes.
	return errors.Join(quickCheck(c, `PRAGMA quick_check(totals)`), quickCheck(c, `PRAGMA quick_check(queues)`))
}

func quickCheck(c *conn, sql string) error {
	q := c.prepare(sql)
	ok, err := q.one()
	if !ok {
		return err
	}
	found := q.ColumnText(0)
	if err := q.Reset(); err != nil {
		return err
	}
	if found != "ok" {
		return fmt.Errorf("%w: %s", sqlite3.CORRUPT, strings.Join(strings.Fields(found), " "))
	}
	return nil
}

// Check reads all of a store's file to see whether it is whole. running says
// that a gateway has it open: its log is in motion then, and nobody else's
// business.
func Check(ctx context.Context, path string, running bool) error {
	if !running {
		if err := checkLog(path); err != nil {
			return fmt.Errorf("store %s: %w", path, err)
		}
	}
	r, err := OpenReadOnly(path)
	if err != nil {
		return err
	}
	err = r.read(ctx, func(c *conn) error { return quickCheck(c, `PRAGMA quick_check(1)`) })
	return errors.Join(err, r.Close())
}

// The format of the log: a header, then frames of a header and a page each. The
// checksum of a frame goes on from that of the frame before. Frames whose salts
// are not the header's are left from before the log began anew.
const (
	logHeaderSize   = 32
	frameHeaderSize = 24
	logMagic        = 0x377f0682 // the lowest bit tells the byte order of checksums
)

// frame is one of the log.
type frame struct {
	salts  [8]byte
	sum    checksum // as it is stored
	commit bool     // the last of its transaction
}

// checkLog looks for commits that SQLite would not find. After a crash the last
// transaction may be incomplete, in any way; it was not answered yet. But a
// transaction begins only when the one before is on the disk. So when behind
// the end of what can be read a frame follows the end of a transaction, all
// before that frame was promised, and what can not be read of it is damage.
func checkLog(path string) error {
	f, err := os.Open(path + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	l := newLogReader(f)
	readable := l.at // the end of the last transaction that SQLite finds
	lost, proof := 0, false
	whole := l.whole
	if !whole {
		readable = 0
	}
	for before := l.start; ; {
		now, follows, err := l.next(before)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return err
		}
		if whole = whole && follows; whole {
			if now.commit {
				readable = l.at
			}
		} else if now.salts == l.start.salts || !l.whole {
			proof = proof || follows && before.commit
			if now.commit {
				lost++
			}
		}
		before = now
	}
	if !proof {
		return nil
	}
	return fmt.Errorf("its log %s-wal is damaged: at least %d commits behind byte %d can not be read; restore a backup of both files, "+
		"or give those commits up with: truncate -s %d %s-wal", path, lost, readable, readable, path)
}

type logReader struct {
	in    *bufio.Reader
	at    int64  // how far it has been read
	whole bool   // the header is
	start frame  // what the first frame goes on from
	big   bool   // byte order of checksums
	buf   []byte // a frame
}

func newLogReader(in io.Reader) *logReader {
	l := &logReader{in: bufio.NewReaderSize(in, 1<<20)}
	header := make([]byte, logHeaderSize)
	n, _ := io.ReadFull(l.in, header) // what is shorter has no frames either
	l.at = int64(n)
	magic, page := binary.BigEndian.Uint32(header), binary.BigEndian.Uint32(header[8:])
	l.big = magic == logMagic|1
	l.start = frame{salts: [8]byte(header[16:24]), sum: storedSum(header[24:])}
	l.whole = magic|1 == logMagic|1 && page >= 512 && page <= 65536 && checksum{}.add(l.big, header[:24]) == l.start.sum
	if !l.whole {
		page = pageSize
	}
	l.buf = make([]byte, frameHeaderSize+int(page))
	return l
}

// next reads a frame, and says whether it goes on from the one before.
func (l *logReader) next(before frame) (now frame, follows bool, err error) {
	n, err := io.ReadFull(l.in, l.buf)
	l.at += int64(n)
	if err != nil {
		return frame{}, false, err
	}
	now = frame{
		salts:  [8]byte(l.buf[8:16]),
		sum:    storedSum(l.buf[16:24]),
		commit: binary.BigEndian.Uint32(l.buf[4:8]) != 0,
	}
	sum := before.sum.add(l.big, l.buf[:8]).add(l.big, l.buf[frameHeaderSize:])
	return now, now.salts == before.salts && now.sum == sum, nil
}

// checksum is the log's, over pairs of words.
type checksum [2]uint32

func storedSum(b []byte) checksum {
	return checksum{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])}
}

func (c checksum) add(big bool, b []byte) checksum {
	for ; len(b) >= 8; b = b[8:] {
		x, y := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
		if big {
			x, y = bits.ReverseBytes32(x), bits.ReverseBytes32(y)
		}
		c[0] += x + c[1]
		c[1] += y + c[0]
	}
	return c
}
