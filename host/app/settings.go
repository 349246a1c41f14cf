package app

import (
	"context"
	"fmt"
	"time"

	"github.com/action-llama/gateway/host/config"
	"github.com/action-llama/gateway/sdk"
)

// settingsPatience is for a provider that looks at the settings of a source,
// which is a matter of microseconds.
const settingsPatience = 5 * time.Second

// mostProblems is as many as a person would read.
const mostProblems = 50

// settle reads the settings of a source by what its provider says of them. With
// a fault among the problems the source takes no deliveries.
func settle(source config.Source, p sdk.Provider, d sdk.Descriptor) (sdk.Settings, config.Problems) {
	settings, problems := source.ReadSettings(d)
	checker, ok := p.(sdk.SettingsChecker)
	if problems.Err() != nil || len(d.Settings) == 0 || !ok {
		return settings, problems
	}
	// Whoever puts a configuration together waits for it, so the bound is ours.
	ctx, cancel := context.WithTimeout(context.Background(), settingsPatience)
	defer cancel()
	found, err := checker.CheckSettings(ctx, sdk.Source{Name: source.Name, Settings: settings, Unsigned: len(source.Credentials) == 0})
	if err != nil {
		return settings, append(problems, config.Warnf(source.Pos, "webhooks.%s: its settings could not be checked: %v", source.Name, err))
	}
	for _, problem := range found[:min(len(found), mostProblems)] {
		problems = append(problems, source.SettingProblem(problem))
	}
	return settings, problems
}

// unsettled is why a source takes no deliveries.
func unsettled(source config.Source, problems config.Problems) error {
	return fmt.Errorf("the settings of webhooks.%s make no sense: %w", source.Name, problems.Err())
}
