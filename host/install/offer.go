package install

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/action-llama/gateway/host/pluginhost"
)

// Try starts the provider of a type in a folder and says what it is.
type Try func(ctx context.Context, folder, typ string) (pluginhost.Inspected, error)

// Offer is what a source has of one type, tried on this machine.
type Offer struct {
	Type     string
	Version  string
	Protocol int
	Sums     map[string]Sum // by platform

	program Program // the one for this machine
}

func (o Offer) entry() Entry { return Entry{Version: o.Version, Protocol: o.Protocol, SHA256: o.Sums} }

// Sum is that of the file for this machine.
func (o Offer) Sum() Sum { return o.program.Sum }

// Examine copies the providers of a source and tries each of them. They are in
// the order of their types; one that is not fit is an error of all.
func (c *Change) Examine(ctx context.Context, source string, try Try) ([]Offer, error) {
	programs, err := Read(ctx, source, c.staging)
	if err != nil {
		return nil, err
	}
	byType := map[string][]Program{}
	for _, p := range programs {
		byType[p.Type] = append(byType[p.Type], p)
	}
	var offers []Offer
	for _, typ := range sortedKeys(byType) {
		o, err := offer(typ, byType[typ])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", source, err)
		}
		said, err := try(ctx, filepath.Dir(o.program.path), typ)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", source, inSource(err, o.program))
		}
		if o.Version, o.Protocol = said.Version, said.Protocol; !validVersion(o.Version) {
			return nil, fmt.Errorf("%s: %s says a version that is longer than %d characters, or can not be shown", source, o.program.Name, maxVersion)
		}
		offers = append(offers, o)
	}
	return offers, nil
}

// inSource names a copy as the source does.
func inSource(err error, p Program) error {
	return errors.New(strings.ReplaceAll(err.Error(), p.path, p.Name))
}

// offer chooses among the programs of a type the one for this machine.
func offer(typ string, programs []Program) (Offer, error) {
	o := Offer{Type: typ, Sums: map[string]Sum{}}
	names := map[string]string{}
	best := false
	for _, p := range programs {
		for _, platform := range p.Platforms {
			if other, twice := names[platform]; twice && o.Sums[platform] != p.Sum {
				return o, fmt.Errorf("%s and %s are both %s for %s, and differ; name the one that is meant", other, p.Name, typ, platform)
			}
			names[platform], o.Sums[platform] = p.Name, p.Sum
		}
		if runs, exactly := p.runsHere(); runs && (o.program.path == "" || exactly && !best) {
			o.program, best = p, exactly
		}
	}
	if o.program.path == "" {
		return o, fmt.Errorf("its %s is built for %s, and this machine is %s; take the one for %s", typ, joined(sortedKeys(names)), here(), here())
	}
	return o, nil
}
