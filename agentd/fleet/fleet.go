package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"mesh30k/agentd"
	"mesh30k/meshcore/wire"
)

// Config says which places a fleet has and how its agents behave in them.
type Config struct {
	// Places are what the hosts need to run, one a sector, as
	// [agentd.Identity.Configs] makes them. Who works there, their clocks,
	// Peers, DrainTimeout, Program and Log are filled in.
	Places []agentd.Config
	// Agents is how many live in all these places together; churn is shared
	// out over them.
	Agents  int
	Seed    uint64 // of all behaviour
	Profile Profile

	// Spread is the time over which the hosts are started, so that a broker is
	// not met by all at once; default [DefaultSpread].
	Spread time.Duration
	// DrainTimeout is [agentd.Config]'s; default [DefaultDrain]: who works
	// longer is emulated.
	DrainTimeout time.Duration

	Program string       // name and version, for the operator
	Log     *slog.Logger // default: slog.Default()
}

// Defaults of a fleet.
const (
	DefaultSpread = 2 * time.Second
	DefaultDrain  = 5 * time.Second
)

// Fleet is N emulated agents: one [agentd.Host] a sector, each with a goroutine
// and a connection of its own.
type Fleet struct {
	cfg   Config
	hosts []*agentd.Host
}

// New makes a fleet; it opens nothing yet. It refuses a configuration that
// cannot run.
func New(cfg Config) (*Fleet, error) {
	if len(cfg.Places) == 0 {
		return nil, errors.New("fleet: no places were granted; join the mesh first")
	}
	if bad := cfg.Profile.check(); bad != nil {
		return nil, fmt.Errorf("fleet: profile: %w", bad)
	}
	if cfg.Spread <= 0 {
		cfg.Spread = DefaultSpread
	}
	if cfg.DrainTimeout <= 0 {
		cfg.DrainTimeout = DefaultDrain
	}
	f := &Fleet{cfg: cfg}
	models := models(&cfg.Profile, cfg.Agents)
	for _, place := range cfg.Places {
		h, err := agentd.NewHost(f.inhabit(place, models))
		if err != nil {
			return nil, fmt.Errorf("fleet: sector %d: %w", place.Sector, err)
		}
		f.hosts = append(f.hosts, h)
	}
	return f, nil
}

// inhabit gives a place its agents.
func (f *Fleet) inhabit(place agentd.Config, models map[wire.Class]*Model) agentd.Config {
	place.Handlers = nil
	place.Emulate = func(a wire.Enrolled) agentd.Emulation {
		return NewAgent(models[a.Class], f.cfg.Seed, a.AgentID)
	}
	place.ClockOffset, place.ClockDriftPPM = f.clock(place.Sector)
	place.Program = f.cfg.Program
	place.DrainTimeout = f.cfg.DrainTimeout
	place.Peers = len(f.cfg.Places)
	place.Log = f.cfg.Log
	return place
}

// clock draws what is wrong with the clock of a sector's host.
func (f *Fleet) clock(sector int) (offset time.Duration, ppm float64) {
	rng := stream(f.cfg.Seed, "clock of sector "+strconv.Itoa(sector))
	r := rand.New(&rng)
	h := f.cfg.Profile.Host
	return millis(h.ClockOffsetMS * r.NormFloat64()), h.ClockDriftPPM * r.NormFloat64()
}

// Run hosts the agents until ctx ends, then drains all hosts and returns nil.
// If a host cannot run, because its journal cannot be opened or written, all
// are drained and its error is returned. Run is called once.
func (f *Fleet) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, len(f.hosts))
	var running sync.WaitGroup
	for i, h := range f.hosts {
		running.Go(func() {
			if !pause(ctx, f.cfg.Spread*time.Duration(i)/time.Duration(len(f.hosts))) {
				return
			}
			if err := h.Run(ctx); err != nil {
				errs[i] = fmt.Errorf("fleet: sector %d: %w", f.cfg.Places[i].Sector, err)
				stop()
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// pause waits for d; false if ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
