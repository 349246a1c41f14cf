package install

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
)

// gzip reads a .tar.gz.
func (r *reader) gzip(f io.Reader) error {
	plain, err := gzip.NewReader(&interruptible{r.ctx, f})
	if err != nil {
		return fmt.Errorf("not a whole archive: %w", err)
	}
	return r.tar(plain)
}

// tar reads an archive from its beginning to its end, and never more than an
// honest one holds, however little of it was sent.
func (r *reader) tar(f io.Reader) error {
	archive := tar.NewReader(&bounded{from: &interruptible{r.ctx, f}, left: maxUnpacked})
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return notWhole(err)
		}
		if err := r.entry(); err != nil {
			return err
		}
		if !filepath.IsLocal(h.Name) {
			return leads(h.Name)
		}
		if _, _, ok := typeOf(path.Base(h.Name)); !ok || h.Typeflag == tar.TypeDir {
			continue
		}
		if h.Typeflag != tar.TypeReg {
			return fmt.Errorf("%s is a link or a device, and a provider is a file", h.Name)
		}
		if err := r.take(h.Name, archive, h.Size); err != nil {
			return notWhole(err)
		}
	}
}

func (r *reader) zip(f io.ReaderAt, size int64) error {
	archive, err := zip.NewReader(f, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // which is said below, with the name
		return fmt.Errorf("not a whole archive: %w", err)
	}
	for _, h := range archive.File {
		if err := r.entry(); err != nil {
			return err
		}
		if !filepath.IsLocal(h.Name) {
			return leads(h.Name)
		}
		if _, _, ok := typeOf(path.Base(h.Name)); !ok || h.Mode().IsDir() {
			continue
		}
		if err := r.zipped(h); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) zipped(h *zip.File) error {
	switch {
	case !h.Mode().IsRegular():
		return fmt.Errorf("%s is a link or a device, and a provider is a file", h.Name)
	case h.Flags&1 != 0:
		return fmt.Errorf("%s is encrypted; unpack the archive and name the folder", h.Name)
	case h.UncompressedSize64 > maxProgram:
		return fmt.Errorf("%s has %d bytes, and a provider at most %d", h.Name, h.UncompressedSize64, maxProgram)
	}
	content, err := h.Open()
	if err != nil {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	defer func() { _ = content.Close() }()
	return r.take(h.Name, content, int64(h.UncompressedSize64))
}

func leads(name string) error {
	return fmt.Errorf("%q in it leads out of the archive; no honest archive has that, and nothing of it is used", name)
}

// notWhole says of a broken archive that it is one.
func notWhole(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, tar.ErrHeader) || errors.Is(err, gzip.ErrChecksum) {
		return fmt.Errorf("not a whole archive: %w", err)
	}
	return err
}

// bounded fails where a limited reader would end: an archive that is cut off
// looks whole.
type bounded struct {
	from io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errUnpacked
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
