package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"mesh30k/agentd/fleet"
	"mesh30k/meshcore"
	"mesh30k/meshcore/wire"
)

// Say carries out a command, such as "freeze sector=7", as the orchestrator
// types it after ':'; confirmations are given.
type Say func(ctx context.Context, command string) (wire.Outcome, error)

// Mesh is a mesh of real processes: a core and a fleet, children of this one.
type Mesh struct {
	Exe       string // the program
	Name      string // of the mesh
	Home      *meshcore.Home
	Agents    int      // of the fleet
	Args      []string // global flags of every child
	FleetArgs []string
	State     string // folder of the fleet's identity and journals
	Say       Say
	Patience  time.Duration // with a child that is to end; it is killed then. 0: 30 s

	// The children of the last Start. While Supervise runs they are its own.
	Core, Fleet *Process

	mu        sync.Mutex // Core and Fleet are written under it
	ended     bool
	incidents []string
}

// drain is how long a fleet's work in hand may take to end when the mesh does:
// its longest takes minutes, and is emulated.
const drain = 500 * time.Millisecond

// CoreStatus is what a core child says of itself each second.
type CoreStatus struct {
	URL        string           `json:"url"`
	Goroutines int              `json:"goroutines"`
	Stats      wire.GlobalStats `json:"stats"`
}

// Start starts core and fleet; ctx bounds only the starting.
func (m *Mesh) Start(ctx context.Context) error {
	if err := m.StartCore(ctx); err != nil {
		return err
	}
	return m.StartFleet(ctx)
}

// StartCore starts the core and waits until it serves.
func (m *Mesh) StartCore(ctx context.Context) error {
	if err := m.start(&m.Core, "core", []string{"core"}, ""); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return m.Core.Status(ctx, new(CoreStatus))
}

// start starts a child in place of p, unless the mesh has been ended meanwhile.
func (m *Mesh) start(p **Process, name string, args []string, secret string) (err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return ErrEnded
	}
	if *p != nil {
		(*p).Kill() // if it has ended, nothing happens
	}
	args = append(append(args, "--mesh", m.Name), m.Args...)
	*p, err = Start(name, secret, m.Exe, args...)
	return err
}

// StartFleet starts the fleet: with a fresh token the first time, afterwards
// with the identity in its state folder.
func (m *Mesh) StartFleet(ctx context.Context) error {
	args := []string{"fleet", "--state", m.State, "--agents", strconv.Itoa(m.Agents), "--drain", drain.String()}
	token := ""
	if !fleet.Joined(m.State) {
		out, err := m.Say(ctx, "invite")
		if err != nil {
			return fmt.Errorf("inviting the fleet: %w", err)
		}
		var invitation struct {
			Join string `json:"join"`
		}
		if err := json.Unmarshal(out.Data, &invitation); err != nil {
			return fmt.Errorf("inviting the fleet: %w", err)
		}
		token = JoinToken + "=" + invitation.Join
	}
	return m.start(&m.Fleet, "fleet", append(args, m.FleetArgs...), token)
}

// JoinToken is the environment variable that hands a fleet its join token: in
// its arguments every user of the machine could read it.
const JoinToken = "MESH30K_JOIN"

// ErrEnded is that of a child which should have lived on.
var ErrEnded = errors.New("a process of the mesh has ended")

// AwaitActive waits until all agents are enrolled and active, as the core says.
// With churn it waits until all are active but those who are away: whoever is
// alive and not active has come back within the last heartbeat interval. It
// returns what the core said then.
func (m *Mesh) AwaitActive(ctx context.Context) (s CoreStatus, err error) {
	var present attendance
	for {
		if err := m.Core.Next(ctx, &s); err != nil {
			return s, fmt.Errorf("%d of %d agents are active: %w", s.Stats.ActiveAgents, m.Agents, err)
		}
		var said fleet.Counters
		if err := m.Fleet.Status(ctx, &said); err != nil {
			return s, err
		}
		if present.complete(m.Agents, said, s.Stats) {
			return s, nil
		}
		select {
		case <-m.Fleet.Done():
			return s, fmt.Errorf("%w: %w", ErrEnded, m.Fleet.failure("ended"))
		default:
		}
	}
}

// endPatience is how long a child may take to end in order, if nothing else is
// said.
const endPatience = 30 * time.Second

// End ends the fleet, then the core, each in order. Nothing can be started
// afterwards.
func (m *Mesh) End() error {
	m.mu.Lock()
	m.ended = true
	m.mu.Unlock()
	var errs []error
	for _, p := range []*Process{m.Fleet, m.Core} {
		if p != nil {
			errs = append(errs, p.End(cmp.Or(m.Patience, endPatience)))
		}
	}
	return errors.Join(errs...)
}
