package pluginhost

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// runnable says why this machine can not run a file. All of these look alike
// once the kernel has refused, so they are told apart before.
func runnable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		return fmt.Errorf("%s is a folder; the provider's program itself belongs there", path)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", path)
	case info.Mode().Perm()&0o111 == 0:
		return fmt.Errorf("%s is not executable; run: chmod +x %s", path, path)
	case unix.Access(path, unix.X_OK) != nil:
		return fmt.Errorf("%s is not executable for this user (mode %s); run: chmod +x %s", path, info.Mode().Perm(), path)
	}
	targets, loader, err := builtFor(path)
	if err != nil {
		return err
	}
	here := runtime.GOOS + "/" + runtime.GOARCH
	if len(targets) > 0 && !slices.ContainsFunc(targets, runsHere) {
		return fmt.Errorf("%s is built for %s, this machine is %s; install the provider for %s",
			path, strings.Join(targets, " and "), here, here)
	}
	if loader != "" {
		if _, err := os.Stat(loader); err != nil {
			return fmt.Errorf("%s needs the loader %s, which is not on this machine; build it with CGO_ENABLED=0", path, loader)
		}
	}
	return nil
}

// runsHere also holds for what the platform can run beside its own kind.
func runsHere(target string) bool {
	switch runtime.GOOS + "/" + runtime.GOARCH {
	case target:
		return true
	case "linux/amd64":
		return target == "linux/386"
	case "darwin/arm64":
		return target == "darwin/amd64" // by translation
	}
	return false
}

// builtFor reads from a program's header what it was built for, and the loader
// that a dynamically linked one needs. A script has no targets.
func builtFor(path string) (targets []string, loader string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, "", fmt.Errorf("can not be read by this user: %w", err)
	}
	defer f.Close()
	head := make([]byte, 4)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, "", err
	}
	head = head[:n]
	switch {
	case n == 0:
		return nil, "", fmt.Errorf("%s is empty; copy or build it again", path)
	case bytes.HasPrefix(head, []byte("#!")):
		return nil, "", nil
	case bytes.HasPrefix(head, []byte(elf.ELFMAG)):
		return elfTarget(f, path)
	case bytes.HasPrefix(head, []byte("MZ")):
		return []string{"windows"}, "", nil
	}
	if targets := machoTargets(f); len(targets) > 0 {
		return targets, "", nil
	}
	return nil, "", fmt.Errorf("%s is not a program: it begins with %q", path, head)
}

func elfTarget(f *os.File, path string) ([]string, string, error) {
	program, err := elf.NewFile(f)
	if err != nil {
		return nil, "", fmt.Errorf("%s is damaged: %w; copy or build it again", path, err)
	}
	if program.Type != elf.ET_EXEC && program.Type != elf.ET_DYN {
		return nil, "", fmt.Errorf("%s is not a program but an %s file", path, program.Type)
	}
	arch, ok := map[elf.Machine]string{
		elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64", elf.EM_386: "386", elf.EM_ARM: "arm",
		elf.EM_RISCV: "riscv64", elf.EM_S390: "s390x", elf.EM_LOONGARCH: "loong64",
	}[program.Machine]
	switch {
	case program.Machine == elf.EM_PPC64 && program.ByteOrder.String() == "LittleEndian":
		arch = "ppc64le"
	case program.Machine == elf.EM_PPC64:
		arch = "ppc64"
	case !ok:
		arch = strings.ToLower(strings.TrimPrefix(program.Machine.String(), "EM_"))
	}
	for _, segment := range program.Progs {
		if segment.Type != elf.PT_INTERP || segment.Filesz > 4096 {
			continue
		}
		name := make([]byte, segment.Filesz)
		if _, err := segment.ReadAt(name, 0); err == nil {
			return []string{"linux/" + arch}, string(bytes.TrimRight(name, "\x00")), nil
		}
	}
	return []string{"linux/" + arch}, "", nil
}

func machoTargets(f *os.File) []string {
	name := func(cpu macho.Cpu) string {
		if arch, ok := map[macho.Cpu]string{macho.CpuAmd64: "amd64", macho.CpuArm64: "arm64"}[cpu]; ok {
			return "darwin/" + arch
		}
		return "darwin/" + strings.ToLower(strings.TrimPrefix(cpu.String(), "Cpu"))
	}
	if program, err := macho.NewFile(f); err == nil {
		return []string{name(program.Cpu)}
	}
	fat, err := macho.NewFatFile(f)
	if err != nil {
		return nil
	}
	var targets []string
	for _, arch := range fat.Arches {
		targets = append(targets, name(arch.Cpu))
	}
	return targets
}

// numbers returns the device and the inode of a file.
func numbers(info os.FileInfo) [2]int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return [2]int64{int64(st.Dev), int64(st.Ino)}
	}
	return [2]int64{}
}

func ownedByMe(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}
