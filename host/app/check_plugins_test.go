package app

import (
	"strings"
	"testing"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/host/install"
)

// A provider of an older protocol works; its owner is told once there is more.
func TestOldProtocolIsNoted(t *testing.T) {
	t.Parallel()
	p := oldProtocol(config.Pos{File: install.LockName}, "bell", 1, 3)
	if p.Severity != config.Note || !strings.Contains(p.Error(), "bell speaks version 1 of the protocol, and this al has version 3") {
		t.Errorf("%s: %v", p.Severity, p)
	}
}
