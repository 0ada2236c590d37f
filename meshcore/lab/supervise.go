package lab

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mesh30k/agentd/fleet"
)

// How children are kept alive.
const (
	firstDelay = time.Second      // before a child is started again; it doubles
	lastDelay  = 30 * time.Second // at most
	steady     = 10 * time.Second // who has lived so long begins with firstDelay again
	maxQuick   = 3                // ends within steady, in a row, that are not kept up with
)

// Supervise starts core and fleet and keeps them alive until ctx ends: a child
// that ends or is killed is started again with what it left in the mesh's
// directory, after 1 s, 2 s, … 30 s. Then it ends the mesh, as [Mesh.End] does.
//
// It gives up, and returns what the child said last, when one cannot start at
// all, or has ended by itself within 10 s of its start three times in a row.
func (m *Mesh) Supervise(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var serving, keeping sync.WaitGroup
	serving.Add(1)
	core := &keeper{
		note: m.note, up: sync.OnceFunc(serving.Done),
		start: func(ctx context.Context) (child, error) {
			err := m.StartCore(ctx)
			return m.Core, err
		},
	}
	fleets := &keeper{
		note: m.note, up: func() {},
		start: func(ctx context.Context) (child, error) {
			if err := m.StartFleet(ctx); err != nil {
				return nil, err
			}
			return m.Fleet, m.Fleet.Status(ctx, new(fleet.Counters))
		},
	}
	keeping.Go(func() {
		defer core.up() // nobody waits for a core that cannot start
		if err := core.keep(ctx); err != nil {
			stop(err)
		}
	})
	keeping.Go(func() {
		if serving.Wait(); ctx.Err() != nil {
			return
		}
		if err := fleets.keep(ctx); err != nil {
			stop(err)
		}
	})
	keeping.Wait()
	err := context.Cause(ctx)
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, m.End())
}

// child is a [Process], as far as its keeper knows it.
type child interface {
	Done() <-chan struct{}
	failure(what string) error
}

// keeper keeps one child alive.
type keeper struct {
	start func(context.Context) (child, error) // and waits until it serves
	up    func()                               // called when it serves
	note  func(format string, args ...any)     // what happened to it
}

// keep returns when ctx ends, nil then, or when there is no use in going on.
func (k *keeper) keep(ctx context.Context) error {
	delay, quick, served := firstDelay, 0, false
	for {
		began := time.Now()
		err := k.life(ctx, &served)
		if ctx.Err() != nil {
			return nil
		}
		killed := errors.Is(err, errKilled)
		switch {
		case time.Since(began) >= steady:
			delay, quick = firstDelay, 0
		case killed:
		case !served, quick+1 == maxQuick:
			return err
		default:
			quick++
		}
		k.note("%v; started again after %v", err, delay)
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return nil
		}
		delay = min(2*delay, lastDelay)
	}
}

// life is one life of the child; it returns how it ended.
func (k *keeper) life(ctx context.Context, served *bool) error {
	c, err := k.start(ctx)
	if err != nil {
		return err
	}
	*served = true
	k.up()
	select {
	case <-c.Done():
		return c.failure("ended")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// note keeps what happened to a child.
func (m *Mesh) note(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.incidents = append(m.incidents, time.Now().Format(time.TimeOnly)+" "+fmt.Sprintf(format, args...))
	if len(m.incidents) > maxIncidents {
		m.incidents = m.incidents[1:]
	}
}

// maxIncidents bounds what is kept of them.
const maxIncidents = 100

// Incidents are the ends of children that were started again, oldest first, a
// line or more each: when, how, and what the child said last.
func (m *Mesh) Incidents() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.incidents...)
}

// PIDs are the process ids of core and fleet; 0: not started yet.
func (m *Mesh) PIDs() (core, fleet int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Core != nil {
		core = m.Core.PID()
	}
	if m.Fleet != nil {
		fleet = m.Fleet.PID()
	}
	return core, fleet
}
