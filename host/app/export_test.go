package app

// GiveUp ends a gateway that was made and does not run.
func (a *App) GiveUp() error { return a.cleanup() }
