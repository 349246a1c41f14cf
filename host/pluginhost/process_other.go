//go:build !linux

package pluginhost

import "syscall"

// sysProcAttr keeps terminal signals with the host. That the provider ends with
// the host is up to sdk.Serve here.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

func awaitExit(int) bool { return false }

func closeOnExec() {}
