package install

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/action-llama/gateway/host/pluginhost"
	"github.com/action-llama/gateway/sdk"
)

// program is a file that looks built for a platform, and is of some version.
// One for no platform is a script.
func program(t testing.TB, platform, version string) []byte {
	t.Helper()
	var b bytes.Buffer
	goos, arch, _ := strings.Cut(platform, "/")
	switch goos {
	case "":
		b.WriteString("#!/bin/sh\n")
	case "linux":
		machine, ok := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]
		if !ok {
			t.Fatalf("no machine %s", arch)
		}
		h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1, Ehsize: 64, Phentsize: 56, Shentsize: 64}
		copy(h.Ident[:], elf.ELFMAG)
		h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
		if err := binary.Write(&b, binary.LittleEndian, h); err != nil {
			t.Fatal(err)
		}
	case "darwin":
		cpu := map[string]uint32{"amd64": 0x01000007, "arm64": 0x0100000c}[arch]
		if err := binary.Write(&b, binary.LittleEndian, []uint32{0xfeedfacf, cpu, 0, 2, 0, 0, 0, 0}); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Fprintf(&b, "\nversion=%s\n", version)
	return b.Bytes()
}

// foreign is a platform that is not this one.
func foreign() string {
	if here() == "darwin/arm64" {
		return "linux/arm64"
	}
	return "darwin/arm64"
}

var versionOf = regexp.MustCompile(`version=(.+)\n`)

// try reads the version out of a program of this test.
func try(_ context.Context, folder, typ string) (pluginhost.Inspected, error) {
	path := filepath.Join(folder, sdk.BinaryPrefix+typ)
	raw, err := os.ReadFile(path)
	if err != nil {
		return pluginhost.Inspected{}, err
	}
	version := string(versionOf.FindSubmatch(raw)[1])
	if version == "broken" {
		return pluginhost.Inspected{}, fmt.Errorf("%s ended before the handshake", path)
	}
	return pluginhost.Inspected{Descriptor: sdk.Descriptor{Type: typ, Version: version}, Protocol: 1}, nil
}

func newPlace(t testing.TB) Place {
	t.Helper()
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("the programs of this test are for amd64 and arm64")
	}
	dir := t.TempDir()
	return Place{Folder: filepath.Join(dir, ".al", "plugins"), LockFile: filepath.Join(dir, LockName)}
}

func write(t testing.TB, path string, content []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// source is a file with one program for this machine.
func source(t testing.TB, typ, version string) string {
	t.Helper()
	return write(t, filepath.Join(t.TempDir(), sdk.BinaryPrefix+typ), program(t, here(), version))
}

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// change makes one change.
func change(t testing.TB, p Place, f func(*Change) error) error {
	t.Helper()
	c, err := p.Begin(within(t))
	if err != nil {
		return err
	}
	defer func() {
		if err := c.End(); err != nil {
			t.Error(err)
		}
	}()
	return f(c)
}

func add(t testing.TB, p Place, path string) (done []Done, err error) {
	t.Helper()
	err = change(t, p, func(c *Change) error {
		offers, err := c.Examine(within(t), path, try)
		if err != nil {
			return err
		}
		done, err = c.Add(offers)
		return err
	})
	return done, err
}

func upgrade(t testing.TB, p Place, path string) (done Done, err error) {
	t.Helper()
	err = change(t, p, func(c *Change) error {
		offers, err := c.Examine(within(t), path, try)
		if err != nil {
			return err
		}
		done, err = c.Upgrade(offers[0])
		return err
	})
	return done, err
}

// state is how a type stands, and its version in the lock.
func state(t testing.TB, p Place, typ string) string {
	t.Helper()
	all, err := p.Check(typ)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s", all[0].State, all[0].Entry.Version))
}

func fails(t testing.TB, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want an error with %q", err, want)
	}
}

func sumOf(content []byte) Sum { return sha256.Sum256(content) }
