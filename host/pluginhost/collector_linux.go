package pluginhost

import "github.com/prometheus/procfs"

func footprintOf(pid int) (footprint, bool) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return footprint{}, false
	}
	stat, err := p.Stat()
	if err != nil {
		return footprint{}, false
	}
	files, err := p.FileDescriptorsLen()
	if err != nil {
		return footprint{}, false
	}
	return footprint{cpu: stat.CPUTime(), resident: float64(stat.ResidentMemory()), files: float64(files)}, true
}
