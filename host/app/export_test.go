package app

import "github.com/action-llama/gateway/host/pluginhost"

// ProviderMetrics is what provider processes tell of themselves, for tests that
// have none.
func (a *App) ProviderMetrics() pluginhost.Metrics { return a.metrics.ofProviders(func() {}) }

// GiveUp ends a gateway that was made and does not run.
func (a *App) GiveUp() error { return a.cleanup() }
