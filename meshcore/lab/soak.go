package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"mesh30k/agentd/fleet"
	"mesh30k/meshcore/wire"
)

// What a soak does to a mesh beside its churn.
const (
	SoakChurn   = 3000             // crashes a minute: ten times those of the demo's --churn 300
	soakAct     = 2 * time.Second  // between two actions: a sector frozen, a broadcast, it thawed, a broadcast
	soakSample  = 10 * time.Second // between two looks at the processes
	soakTTL     = "20s"            // of the broadcasts: they must not pile up behind who is away
	soakTimeout = time.Minute      // of an action
)

// SoakBench lets a mesh live for long with ten times the events, and looks
// whether anything grows. The mesh's fleet has [SoakChurn].
type SoakBench struct {
	For  time.Duration // how long, once all agents are active
	Talk io.Writer     // a line a sample
}

// soak is one run of it.
type soak struct {
	*Mesh
	bench   *SoakBench
	rng     *rand.Rand
	samples []sample

	acts, freezes, broadcasts int
	frozen                    int // the sector that was frozen last
	acting                    sync.WaitGroup
	failures                  atomic.Int64
	talking                   sync.Mutex

	first, last fleet.Counters
	missed      [2]uint64 // heartbeats, at the first and the latest look
}

// Run measures; what it returns is described in this room's DESIGN.md, "Soak".
func (b *SoakBench) Run(ctx context.Context, m *Mesh) (map[string]float64, error) {
	s := &soak{Mesh: m, bench: b, rng: rand.New(rand.NewPCG(1, 2))}
	err := s.run(ctx)
	if err = errors.Join(err, m.End()); err != nil {
		return nil, err
	}
	facts, err := s.count(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the facts of the soak: %w", err)
	}
	return s.figures(facts), nil
}

func (s *soak) say(format string, args ...any) {
	s.talking.Lock()
	defer s.talking.Unlock()
	fmt.Fprintf(s.bench.Talk, format+"\n", args...)
}

func (s *soak) run(ctx context.Context) error {
	if err := s.Start(ctx); err != nil {
		return err
	}
	s.say("waiting for %d agents", s.Agents)
	active, err := s.AwaitActive(ctx)
	if err != nil {
		return err
	}
	s.missed[0] = active.Stats.Counters.BeatsMissed
	if err := s.Fleet.Next(ctx, &s.first); err != nil {
		return err
	}
	err = s.live(ctx)
	if s.acting.Wait(); err != nil {
		return err
	}
	if err := s.Fleet.End(endPatience); err != nil {
		return fmt.Errorf("ending the fleet: %w", err)
	}
	return s.Fleet.Final(ctx, &s.last)
}

// live acts and looks until the time is over.
func (s *soak) live(ctx context.Context) error {
	act, look, over := time.NewTicker(soakAct), time.NewTicker(soakSample), time.NewTimer(s.bench.For)
	defer act.Stop()
	defer look.Stop()
	defer over.Stop()
	if err := s.look(ctx); err != nil {
		return err
	}
	for {
		select {
		case <-act.C:
			s.act(ctx)
		case <-look.C:
			if err := s.look(ctx); err != nil {
				return err
			}
		case <-over.C:
			return s.look(ctx)
		case <-s.Core.Done():
			return fmt.Errorf("%w: %w", ErrEnded, s.Core.failure("ended"))
		case <-s.Fleet.Done():
			return fmt.Errorf("%w: %w", ErrEnded, s.Fleet.failure("ended"))
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// act begins the next of four actions. It is not waited for: a broadcast is over
// when who is dead has not answered within its time to live.
func (s *soak) act(ctx context.Context) {
	var command string
	switch s.acts % 4 {
	case 0:
		s.freezes++
		s.frozen = s.sector()
		command = fmt.Sprintf("freeze sector=%d --reason soak", s.frozen)
	case 2:
		command = fmt.Sprintf("thaw sector=%d", s.frozen)
	default:
		s.broadcasts++
		command = fmt.Sprintf(`broadcast "soak %d" sector=%d,class!=F --ttl %s`, s.acts, s.sector(), soakTTL)
	}
	s.acts++
	s.acting.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, soakTimeout)
		defer cancel()
		if _, err := s.Say(ctx, command); err != nil {
			s.failures.Add(1)
			s.say("%s: %v", command, err)
		}
	})
}

func (s *soak) sector() int { return 1 + s.rng.IntN(len(s.Home.Topology.Sectors)) }

// sample is one look at the processes.
type sample struct {
	at          time.Time
	core, fleet Usage
	goroutines  int   // of the core
	disk        int64 // bytes that the mesh's directory takes
}

func (s *soak) look(ctx context.Context) error {
	var status CoreStatus
	if err := s.Core.Next(ctx, &status); err != nil {
		return err
	}
	s.missed[1] = status.Stats.Counters.BeatsMissed
	core, fleet, err := s.measure()
	if err != nil {
		return err
	}
	disk, err := diskUsed(s.Home.Dir)
	if err != nil {
		return err
	}
	now := sample{at: time.Now(), core: core, fleet: fleet, goroutines: status.Goroutines, disk: disk}
	s.samples = append(s.samples, now)
	s.say("%6.0f s  core %6.1f MB %3d fds %4d goroutines  fleet %6.1f MB %3d fds  disk %7.1f MB  %d active",
		now.at.Sub(s.samples[0].at).Seconds(), megabytes(core.RSS), core.OpenFDs, now.goroutines,
		megabytes(fleet.RSS), fleet.OpenFDs, megabytes(disk), status.Stats.ActiveAgents)
	return nil
}

// diskUsed is what the files below dir take on the disk, in bytes. Files that go
// away meanwhile are passed over.
func diskUsed(dir string) (sum int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil {
			var info fs.FileInfo
			if info, err = e.Info(); err == nil {
				if stat, ok := info.Sys().(*syscall.Stat_t); ok {
					sum += stat.Blocks * 512 // POSIX's unit of st_blocks
				}
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return sum, err
}

// soakFacts are the facts of a soak: how many at each sample, and of which kinds
// since the start.
type soakFacts struct {
	until []float64
	kinds map[wire.FactKind]uint64
}

func (s *soak) count(ctx context.Context) (f soakFacts, err error) {
	f.until, f.kinds = make([]float64, len(s.samples)), map[wire.FactKind]uint64{}
	err = eachFact(ctx, s.Home, func(fact wire.Fact) error {
		f.kinds[fact.Kind]++
		for i := len(s.samples) - 1; i >= 0 && !fact.At.After(s.samples[i].at); i-- {
			f.until[i]++
		}
		return nil
	})
	return f, err
}
