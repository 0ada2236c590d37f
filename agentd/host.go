package agentd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/wire"
)

// Config says who a [Host] is and how its agents work.
type Config struct {
	Mesh     string         // name of the mesh
	Host     string         // name of the host, as it joined
	Sector   int            // the sector of Clusters, counted from 1
	Clusters []wire.Address // of the grant: where the host's agents live

	// Connect opens the host's connection with opts and whatever it takes to be
	// let in (URL, JWT, seed). It is called once, and again after a cut link.
	// opts make the connection retry for ever, so that Connect succeeds while
	// the broker is away.
	Connect func(opts ...nats.Option) (*nats.Conn, error)

	// Exactly one of Handlers and Emulate is set. Each is called once for
	// every agent that a WELCOME names, by the host's goroutine.
	Handlers func(agent wire.Enrolled) (Handler, error)
	Emulate  func(agent wire.Enrolled) Emulation

	// ClockOffset is how much the host's clock is ahead of this machine's: 0
	// for real hosts.
	ClockOffset time.Duration
	// ClockDriftPPM is how much faster the host's clock runs than this
	// machine's, from Run on, in parts per million: 0 for real hosts.
	ClockDriftPPM float64

	// Journal is the folder of the host's journal, made if it is missing. Empty:
	// the journal is kept in memory only, and dies with the process.
	Journal string
	// Sync makes every write of the journal wait for the disk. Without it the
	// journal survives the death of the process, not a loss of power.
	Sync bool

	// Program is name and version of what runs, for the operator.
	Program string
	// DrainTimeout bounds how long work in hand may take to end when the host
	// stops; default 30 s.
	DrainTimeout time.Duration
	// Peers is how many hosts are expected to reconnect at the same time; it
	// scales the backoff. Default 100.
	Peers int

	Log *slog.Logger // default: slog.Default()
}

// check returns an error unless c can run.
func (c *Config) check() error {
	switch {
	case c.Connect == nil:
		return errors.New("agentd: host: no way to connect was given")
	case (c.Handlers == nil) == (c.Emulate == nil):
		return errors.New("agentd: host: want either handlers or emulation")
	case len(c.Clusters) == 0:
		return errors.New("agentd: host: no clusters were granted; join again")
	}
	if err := errors.Join(wire.CheckName("mesh", c.Mesh), wire.CheckName("host", c.Host)); err != nil {
		return fmt.Errorf("agentd: %w", err)
	}
	for _, cl := range c.Clusters {
		if cl.Level() != wire.LevelCluster || cl.Sector != c.Sector {
			return fmt.Errorf("agentd: host %s: %s is not a cluster of sector %d; a host speaks for one sector", c.Host, cl, c.Sector)
		}
	}
	return nil
}

// Host speaks for all agents of one process in one sector. Its Run is one
// goroutine that owns all their state; see DESIGN.md.
type Host struct {
	cfg   Config
	log   *slog.Logger
	stats counters
}

// NewHost makes a host; it opens nothing yet. It refuses a configuration that
// cannot run.
func NewHost(cfg Config) (*Host, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.DrainTimeout <= 0 {
		cfg.DrainTimeout = 30 * time.Second
	}
	if cfg.Peers <= 0 {
		cfg.Peers = 100
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	h := &Host{cfg: cfg, log: cfg.Log.With("host", cfg.Host, "sector", cfg.Sector)}
	return h, nil
}

// Run opens journal and connection and hosts the agents until ctx ends. Then it
// drains: it refuses new messages with code draining, lets work in hand end for
// at most DrainTimeout, reports that it leaves, and closes. What it has
// received and not begun stays in the journal for the next start.
//
// It returns nil after a drain, and an error if the journal cannot be opened
// or written or Connect refuses. A broker that is away or turns the host away
// is no error: the host tries again for ever. Run is called once.
func (h *Host) Run(ctx context.Context) (err error) {
	j, err := h.openJournal()
	if err != nil {
		return err
	}
	working, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	l := h.newLoop(working, j)
	defer func() { err = errors.Join(err, l.close(cancel)) }()
	if err := j.flush(l.now); err != nil {
		return err
	}
	if err := l.connect(); err != nil {
		return err
	}
	return l.run(ctx)
}

// openJournal opens the journal and counts this start in it.
func (h *Host) openJournal() (*journal, error) {
	now := time.Now()
	j := newJournal()
	if h.cfg.Journal != "" {
		var damaged int
		var err error
		if j, damaged, err = openJournal(h.cfg.Journal, h.cfg.Sync, now); err != nil {
			return nil, fmt.Errorf("agentd: host %s: %w", h.cfg.Host, err)
		}
		if damaged > 0 {
			h.log.Warn("lines of the journal were damaged and are lost; messages in them may be worked again", "lines", damaged)
		}
	}
	j.start(now)
	return j, nil
}

// Stats counts what a host has done since it was made.
type Stats struct {
	Agents      int    // that live now
	Welcomed    bool   // every cluster has answered HELLO since the last connect
	Heartbeats  uint64 // messages published
	BeatsSent   uint64 // agents' beats in them
	BeatsLost   uint64 // beats that emulated loss kept out of them
	Received    uint64 // deliveries written to the journal
	Begun       uint64 // messages begun
	Worked      uint64 // messages that ended WORKED
	WorkedAgain uint64 // of these, begun before as well, before a kill
	OwnWorked   uint64 // ended work of emulated agents' own
	Crashes     uint64 // of emulated agents
	Returns     uint64 // of emulated agents
	Dropped     uint64 // NATS messages that came faster than the host could take them
}

// counters are the Stats as the loop counts them; they are read from outside.
type counters struct {
	agents                                  atomic.Int64
	welcomed                                atomic.Bool
	heartbeats, beatsSent, beatsLost        atomic.Uint64
	received, begun, worked, workedAgain    atomic.Uint64
	ownWorked, crashes, returns, droppedMsg atomic.Uint64
}

// Stats may be called at any time, from any goroutine.
func (h *Host) Stats() Stats {
	c := &h.stats
	return Stats{
		Agents: int(c.agents.Load()), Welcomed: c.welcomed.Load(),
		Heartbeats: c.heartbeats.Load(), BeatsSent: c.beatsSent.Load(), BeatsLost: c.beatsLost.Load(),
		Received: c.received.Load(), Begun: c.begun.Load(), Worked: c.worked.Load(), WorkedAgain: c.workedAgain.Load(),
		OwnWorked: c.ownWorked.Load(), Crashes: c.crashes.Load(), Returns: c.returns.Load(), Dropped: c.droppedMsg.Load(),
	}
}
