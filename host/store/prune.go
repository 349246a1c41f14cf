package store

import "context"

// Pruner is the part of a Store that deletes history.
type Pruner interface {
	Prune(ctx context.Context, p Prune) (more bool, err error)
}

// PruneStep is how many records of a kind a gateway deletes in one transaction,
// which takes a few milliseconds.
const PruneStep = 100

// PruneAll deletes all that is to go, one step after the other, and returns how
// many steps that took. Each is a transaction of its own, so that whoever writes
// meanwhile waits for one of them at most.
func PruneAll(ctx context.Context, s Pruner, p Prune) (steps int, err error) {
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return steps, err
		}
		if more, err = s.Prune(ctx, p); err != nil {
			return steps, err
		}
		steps++
	}
	return steps, nil
}
