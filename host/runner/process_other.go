//go:build !linux

package runner

import "syscall"

// groupAttr: a group of its own. Only Linux can tie a child's life to ours.
func groupAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// awaitExit is for systems that can wait for a child without reaping it.
func awaitExit(int) bool { return false }
