package pluginhost

import "context"

// try says why a process can not take the place of another one.
func (h *Host) try(ctx context.Context, in *instance) error {
	if h.opts.Fit != nil {
		if err := h.opts.Fit(in.owner.typ, pinned{in.owner, in}); err != nil {
			return err
		}
	}
	return nil
}
