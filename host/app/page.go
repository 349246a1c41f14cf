package app

import (
	"context"
	"net/http"

	"github.com/action-llama/gateway/host/page"
	"github.com/action-llama/gateway/host/store"
)

// Queues implements [page.Gateway].
func (a *App) Queues(ctx context.Context) ([]store.Queue, error) { return a.store.Queues(ctx) }

// servePage adds the live page to what is served. It is shown what the API is.
func (a *App) servePage(mux *http.ServeMux) (err error) {
	a.page, err = page.New(page.Options{
		Gateway: surface{a, a.history}, Key: a.apiKey, Log: a.log.Named("page"),
		Enabled: func() bool { return a.config.get().project.Gateway.UI },
	})
	if err != nil {
		return err
	}
	a.page.Register(mux)
	return nil
}
