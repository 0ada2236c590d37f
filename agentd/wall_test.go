package agentd

import (
	"testing"
	"time"
)

func TestAnEmulatedClockIsOffAndDrifts(t *testing.T) {
	start := time.Date(2024, 11, 30, 12, 0, 0, 0, time.UTC)
	l := &loop{Host: &Host{cfg: Config{ClockDriftPPM: 20}}, started: start, skew: -time.Second}
	for after, want := range map[time.Duration]time.Duration{
		0:         -time.Second,
		time.Hour: -time.Second + 72*time.Millisecond,
	} {
		if got := l.wall(start.Add(after)).Sub(start.Add(after)); got != want {
			t.Errorf("after %v the host's clock is off by %v; want %v", after, got, want)
		}
	}
	l.cfg.ClockDriftPPM = 0
	if got := l.wall(start.Add(time.Hour)); !got.Equal(start.Add(time.Hour - time.Second)) {
		t.Errorf("without drift the host's clock shows %v", got)
	}
}
