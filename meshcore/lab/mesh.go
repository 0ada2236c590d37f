package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"mesh30k/meshcore/wire"
)

// Mesh is a mesh of real processes: a core and a fleet, children of this one.
type Mesh struct {
	Exe    string                                    // the program
	Name   string                                    // of the mesh, whose home exists
	Args   []string                                  // global flags of every child
	Invite func(ctx context.Context) (string, error) // makes a token for the fleet, once the core runs
	Talk   io.Writer                                 // what the children say; nil: kept for errors only
	Core   *Process
	Fleet  *Process
}

// CoreStatus is what a core child says of itself each second.
type CoreStatus struct {
	URL   string           `json:"url"`
	Stats wire.GlobalStats `json:"stats"`
}

// StartCore starts the core and waits until it serves.
func (m *Mesh) StartCore(ctx context.Context, args ...string) (CoreStatus, error) {
	var ready CoreStatus
	p, err := Start("core", m.Talk, m.Exe, append(append([]string{"core", "--mesh", m.Name}, m.Args...), args...)...)
	if err != nil {
		return ready, err
	}
	m.Core = p
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return ready, p.Status(ctx, &ready)
}

// StartFleet starts a fleet that joins with a fresh token, or goes on with the
// identity in its state folder.
func (m *Mesh) StartFleet(ctx context.Context, args ...string) error {
	all := append([]string{"fleet", "--mesh", m.Name}, m.Args...)
	if m.Invite != nil {
		token, err := m.Invite(ctx)
		if err != nil {
			return fmt.Errorf("inviting the fleet: %w", err)
		}
		all = append(all, "--join", token)
	}
	var err error
	m.Fleet, err = Start("fleet", m.Talk, m.Exe, append(all, args...)...)
	return err
}

// ErrEnded is that of a child which should have lived on.
var ErrEnded = errors.New("a process of the mesh has ended")

// AwaitActive waits until n agents are enrolled and all of them active, as the
// core says.
func (m *Mesh) AwaitActive(ctx context.Context, n int) (CoreStatus, error) {
	for {
		var s CoreStatus
		if err := m.Core.Next(ctx, &s); err != nil {
			return s, fmt.Errorf("%d of %d agents are active: %w", s.Stats.ActiveAgents, n, err)
		}
		if s.Stats.TotalAgents >= n && s.Stats.ActiveAgents == s.Stats.TotalAgents {
			return s, nil
		}
		if m.Fleet != nil {
			select {
			case <-m.Fleet.Done():
				return s, fmt.Errorf("%w: %w", ErrEnded, m.Fleet.failure("ended"))
			default:
			}
		}
	}
}

// End ends the fleet, then the core, each in order.
func (m *Mesh) End() error {
	var errs []error
	for _, p := range []*Process{m.Fleet, m.Core} {
		if p != nil {
			if err := p.End(30 * time.Second); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", p.Name, err))
			}
		}
	}
	return errors.Join(errs...)
}
