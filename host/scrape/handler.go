package scrape

import (
	"bufio"
	"context"
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"
)

// writeSize is how much is handed to the connection at once.
const writeSize = 64 << 10

// Handler serves the board. The text formats are put together from what is
// kept, and not compressed: that would cost several times what all else does.
// Protobuf, and some metrics by name, are gathered in full.
func (b *Board) Handler() http.Handler {
	formats := expfmt.DefaultOpenMetricsAcceptedFormats()
	whole := promhttp.HandlerFor(b, promhttp.HandlerOpts{
		EnableOpenMetrics: true,
		Timeout:           timeout,
		ErrorHandling:     promhttp.ContinueOnError,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		format := expfmt.NegotiateAccept(r.Header, formats...)
		kind := format.FormatType()
		if kind != expfmt.TypeTextPlain && kind != expfmt.TypeOpenMetrics || r.URL.Query().Has("name[]") {
			whole.ServeHTTP(w, r)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		body, err := b.render(ctx, format)
		switch {
		case ctx.Err() != nil && err != nil:
			http.Error(w, "the metrics could not be gathered within "+timeout.String(), http.StatusServiceUnavailable)
			return
		case err != nil:
			http.Error(w, "the metrics could not be gathered: "+err.Error(), http.StatusInternalServerError)
			return
		}
		size := 0
		for _, piece := range body {
			size += len(piece)
		}
		w.Header().Set("Content-Type", string(format))
		w.Header().Add("Vary", "Accept")
		w.Header().Set("Content-Length", strconv.Itoa(size))
		if r.Method == http.MethodHead {
			return
		}
		out := bufio.NewWriterSize(w, writeSize)
		for _, piece := range body {
			if _, err := out.Write(piece); err != nil {
				return // nobody reads any more
			}
		}
		_ = out.Flush() // likewise
	})
}
