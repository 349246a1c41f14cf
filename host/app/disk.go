package app

import (
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sys/unix"
)

// diskCollector tells how large the store's files are, and how much room is
// left where the project keeps its state. What can not be told is absent.
type diskCollector struct {
	folder, database string
	size, free, all  *prometheus.Desc
}

func newDiskCollector(folder, database string) *diskCollector {
	return &diskCollector{
		folder: folder, database: database,
		size: prometheus.NewDesc("al_store_size_bytes", "Size of the store's files: database, and log, which is folded into it.", []string{"file"}, nil),
		free: prometheus.NewDesc("al_disk_free_bytes", "Room for the gateway's user on the disk that holds the project's .al.", nil, nil),
		all:  prometheus.NewDesc("al_disk_size_bytes", "Size of the disk that holds the project's .al.", nil, nil),
	}
}

func (c *diskCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.size
	ch <- c.free
	ch <- c.all
}

func (c *diskCollector) Collect(ch chan<- prometheus.Metric) {
	if info, err := os.Stat(c.database); err == nil { // PostgreSQL's files are its own
		ch <- prometheus.MustNewConstMetric(c.size, prometheus.GaugeValue, float64(info.Size()), "database")
		log := 0.0
		if info, err := os.Stat(c.database + "-wal"); err == nil {
			log = float64(info.Size())
		}
		ch <- prometheus.MustNewConstMetric(c.size, prometheus.GaugeValue, log, "log")
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(c.folder, &disk); err != nil {
		return
	}
	block := float64(disk.Bsize)
	ch <- prometheus.MustNewConstMetric(c.free, prometheus.GaugeValue, float64(disk.Bavail)*block)
	ch <- prometheus.MustNewConstMetric(c.all, prometheus.GaugeValue, float64(disk.Blocks)*block)
}
