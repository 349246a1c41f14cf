package provider

import "testing"

func TestReadLink(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]link{
		"https://sentry.io/api/0/projects/acme/widgets/events/8da6/":             {"acme", "widgets", 0},
		"https://us.sentry.io/api/0/projects/acme/widgets/events/8da6/":          {"acme", "widgets", 0},
		"https://sentry.io/api/0/organizations/acme/issues/43/":                  {"acme", "", 43},
		"https://us.sentry.io/api/0/issues/43/":                                  {"", "", 43}, // us is a region
		"https://sentry.io/organizations/acme/issues/43/events/8da6/":            {"acme", "", 43},
		"https://sentry.io/organizations/acme/issues/?project=2":                 {"acme", "", 0},
		"https://sentry.io/organizations/acme/projects/widgets/":                 {"acme", "", 0},
		"https://sentry.io/organizations/acme/alerts/31/":                        {"acme", "", 0},
		"https://acme.sentry.io/issues/43/":                                      {"acme", "", 43},
		"https://acme.sentry.io/issues/9007199254740993":                         {"acme", "", 9007199254740993},
		"https://acme.sentry.io:443/alerts/31/":                                  {"acme", "", 0},
		"https://errors.example/organizations/acme/issues/43/":                   {"acme", "", 43},
		"https://errors.example/sentry/api/0/projects/acme/widgets/events/8da6/": {"acme", "widgets", 0},
		"https://acme.errors.example/issues/43/":                                 {"", "", 43},
		"https://a.b.sentry.io/issues/43/":                                       {"", "", 43},
		"https://evilsentry.io/issues/43/":                                       {"", "", 43},
		"https://sentry.io/issues/WIDGETS-4K/":                                   {"", "", 0},
		"https://sentry.io/organizations/":                                       {},
		"https://sentry.io/api/0/projects/acme":                                  {},
		"https://sentry.io/api/0/projects/organizations/issues/":                 {"organizations", "issues", 0},
		"https://sentry.io":                                                      {},
		"/api/0/projects/acme/widgets/":                                          {},
		"not an address":                                                         {},
		"https://[::1":                                                           {},
		"":                                                                       {},
	} {
		if got := readLink(address); got != want {
			t.Errorf("%s: %+v, want %+v", address, got, want)
		}
	}
}
