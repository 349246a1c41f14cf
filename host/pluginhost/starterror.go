package pluginhost

// StartError is why the first launch failed, or nil when it worked or is still
// under way.
func (p *Provider) StartError() error {
	select {
	case <-p.first:
		return p.firstErr
	default:
		return nil
	}
}
