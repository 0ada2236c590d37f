package fleet

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/go-json-experiment/json"
)

// Counters are what a fleet has done since it was made, as its hosts counted it
// when they did it. All but the gauges only rise, so that an interval is the
// difference of two.
type Counters struct {
	At    time.Time `json:"at"`             // this machine's clock
	Final bool      `json:"final,omitzero"` // all hosts have drained: nothing comes after

	// Gauges.
	Hosts    int `json:"hosts"`
	Welcomed int `json:"hosts_welcomed"` // of these, whose every cluster has answered HELLO
	Agents   int `json:"agents_alive"`

	Beats       uint64 `json:"heartbeats_sent"` // agents' beats, in messages that were published
	BeatsLost   uint64 `json:"heartbeats_dropped_by_injection"`
	Heartbeats  uint64 `json:"heartbeat_messages"`
	Received    uint64 `json:"received"` // deliveries
	Begun       uint64 `json:"begun"`
	Worked      uint64 `json:"worked"`
	WorkedAgain uint64 `json:"worked_again"`
	OwnWorked   uint64 `json:"own_worked"`
	Crashes     uint64 `json:"crashes"`
	Returns     uint64 `json:"returns"`
	Dropped     uint64 `json:"messages_dropped"` // came faster than a host could take them
}

// Counters may be called at any time, from any goroutine.
func (f *Fleet) Counters() Counters {
	c := Counters{At: time.Now(), Hosts: len(f.hosts)}
	for _, h := range f.hosts {
		s := h.Stats()
		if s.Welcomed {
			c.Welcomed++
		}
		c.Agents += s.Agents
		c.Beats += s.BeatsSent
		c.BeatsLost += s.BeatsLost
		c.Heartbeats += s.Heartbeats
		c.Received += s.Received
		c.Begun += s.Begun
		c.Worked += s.Worked
		c.WorkedAgain += s.WorkedAgain
		c.OwnWorked += s.OwnWorked
		c.Crashes += s.Crashes
		c.Returns += s.Returns
		c.Dropped += s.Dropped
	}
	return c
}

// Report runs the fleet as [Fleet.Run] does and writes its counters to w, a line
// of JSON each, every so often and once more, with Final set, when all hosts
// have drained. Beats are counted when they are published: those of the final
// line have all been handed to the broker.
func (f *Fleet) Report(ctx context.Context, w io.Writer, every time.Duration) error {
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			// A reader that has gone away is no reason to stop the fleet; who
			// wants the fleet to end with it ends ctx.
			_ = writeLine(w, f.Counters())
		case err := <-done:
			last := f.Counters()
			last.Final = true
			if werr := writeLine(w, last); err == nil && werr != nil {
				err = fmt.Errorf("fleet: writing the last counters: %w", werr)
			}
			return err
		}
	}
}

func writeLine(w io.Writer, c Counters) error {
	line, err := json.Marshal(c)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}
