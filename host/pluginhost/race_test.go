//go:build race

package pluginhost

// raceDetector takes memory by the gigabyte, in the fakes as well.
const raceDetector = true
