package app

import "context"

// inTurn does something, unless the gateway leaves first.
func (k *keeper) inTurn(ctx context.Context, do func()) {
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
		do()
	case <-ctx.Done():
	}
}

// Hold keeps the configuration as it is until Resume, and returns when nothing
// is being taken up.
func (k *keeper) Hold(ctx context.Context) error {
	select {
	case k.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Resume ends a Hold.
func (k *keeper) Resume() { <-k.turn }
