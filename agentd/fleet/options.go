package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"mesh30k/agentd"
	"mesh30k/meshcore/wire"
)

// DefaultAgents is how many a fleet joins with, 2.1's mesh.
const DefaultAgents = 30_000

// Options are those of the command `mesh30k fleet`. The zero value of each
// takes the default.
type Options struct {
	Join  string // text of a join token; needed for the first start only
	Mesh  string // name of the mesh that was joined; the token names it too
	Host  string // name of the host; default "sim"
	State string // folder of the identity; default $XDG_STATE_HOME/mesh30k/agentd/MESH/HOST
	URL   string // of the broker, in place of the token's

	Agents  int           // default: as many as it joined with; 30,000 at the first start
	Seed    uint64        // of all behaviour
	Profile string        // path of a fleet file; default: [Default]
	Churn   *float64      // crashes a minute over the fleet, 0 to 1,000,000; nil: the profile's
	Loss    *float64      // share of trips that are lost, 0 to 1; nil: the profile's
	Journal string        // folder of the hosts' journals; default: State
	Drain   time.Duration // for work in hand to end when ctx does; default [DefaultDrain]

	Status  io.Writer     // gets [Counters] as JSON lines; nil: nobody does
	Every   time.Duration // between two lines; default 1 s
	Program string        // name and version, for the operator
	Log     *slog.Logger  // default: slog.Default()
}

// Run is the command `mesh30k fleet`: it joins, if it has not before, and hosts
// the agents until ctx ends and all hosts have drained.
//
// Options that make no sense, an unreadable fleet file and a missing token are
// *wire.Error of code bad_message; a mesh that refuses the fleet or cannot be
// reached gives the errors of [agentd.Enlist].
func Run(ctx context.Context, o Options) error {
	o.Host = cmp.Or(o.Host, "sim")
	o.Every = cmp.Or(o.Every, time.Second)
	if o.Status == nil {
		o.Status = io.Discard
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	profile, err := o.profile()
	if err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	id, dir, err := o.identity(ctx, &profile)
	if err != nil {
		return err
	}
	id.URL = cmp.Or(o.URL, id.URL)
	f, err := New(Config{
		Places: id.Configs(cmp.Or(o.Journal, dir)), Agents: id.Agents, Seed: o.Seed, Profile: profile,
		DrainTimeout: o.Drain, Program: o.Program, Log: o.Log,
	})
	if err != nil {
		return err
	}
	o.Log.Info("emulated agents start", "agents", id.Agents, "mesh", id.Mesh, "host", id.Host, "sectors", len(id.Grants), "broker", id.URL)
	return f.Report(ctx, o.Status, o.Every)
}

// Joined reports whether a fleet with this State has joined a mesh, so that it
// needs no token.
func Joined(state string) bool {
	_, err := agentd.LoadIdentity(state)
	return !errors.Is(err, fs.ErrNotExist)
}

func misused(format string, args ...any) error {
	return wire.Errorf(wire.CodeBadMessage, "fleet: "+format, args...)
}

// check returns an error unless the options make sense together.
func (o *Options) check() error {
	if o.Agents < 0 || o.Agents > wire.MaxAgentsPerHost {
		return misused("--agents %d: want 1 to %d; a larger mesh takes several fleets, each with a --host and token of its own", o.Agents, wire.MaxAgentsPerHost)
	}
	if o.Every < 10*time.Millisecond {
		return misused("a status line each %v is too often: want at least 10ms", o.Every)
	}
	if o.Drain < 0 {
		return misused("--drain %v: want a time, such as 5s", o.Drain)
	}
	if err := wire.CheckName("host", o.Host); err != nil {
		return misused("--host: %v", err)
	}
	if o.Mesh != "" {
		if err := wire.CheckName("mesh", o.Mesh); err != nil {
			return misused("--mesh: %v", err)
		}
	}
	return nil
}

// profile is the fleet file's, with what the options say of it.
func (o *Options) profile() (Profile, error) {
	p := Default()
	if o.Profile != "" {
		data, err := readProfile(o.Profile)
		if err != nil {
			return p, misused("--profile: %v", err)
		}
		if p, err = Parse(data); err != nil {
			return p, misused("--profile %s: %v", o.Profile, err)
		}
	}
	if o.Churn != nil {
		p.Churn.CrashesPerMin = *o.Churn
	}
	if o.Loss != nil {
		p.Loss.Probability = *o.Loss
	}
	if bad := p.check(); bad != nil { // only what the options said can be
		return p, misused("%v; --churn and --loss set it", bad)
	}
	return p, nil
}

func readProfile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()                   // it was only read
	return io.ReadAll(io.LimitReader(f, MaxProfile+1)) // Parse refuses what is longer
}

// identity is who the fleet is: as it joined before, or as it joins now. dir is
// the folder of its state.
func (o *Options) identity(ctx context.Context, p *Profile) (id *agentd.Identity, dir string, err error) {
	if dir, err = o.dir(); err != nil {
		return nil, "", err
	}
	switch id, err = agentd.LoadIdentity(dir); {
	case errors.Is(err, fs.ErrNotExist):
		id, err = o.enlist(ctx, p, dir)
	case err == nil:
		id, err = o.resume(ctx, p, dir, id)
	}
	return id, dir, err
}

// dir is where the fleet keeps who it is.
func (o *Options) dir() (string, error) {
	if o.State != "" {
		return o.State, nil
	}
	mesh := o.Mesh
	if mesh == "" && o.Join != "" {
		var err error
		if mesh, err = agentd.TokenMesh(o.Join); err != nil {
			return "", err
		}
	}
	if mesh == "" {
		return "", misused("which mesh? Join one with --join TOKEN (`mesh30k invite host` makes one), or name with --mesh the one that was joined")
	}
	base, err := agentd.StateDir()
	return filepath.Join(base, mesh, o.Host), err
}

// resume takes up an identity of an earlier start.
func (o *Options) resume(ctx context.Context, p *Profile, dir string, id *agentd.Identity) (*agentd.Identity, error) {
	if e := id.Expires(); !e.IsZero() && time.Now().After(e) {
		o.Log.Warn("the fleet's place in the mesh has expired; it joins anew", "expired", e)
		return o.enlist(ctx, p, dir)
	}
	if id.Agents == 0 {
		id.Agents = cmp.Or(o.Agents, DefaultAgents)
	}
	if o.Agents != 0 && o.Agents != id.Agents {
		return nil, misused("host %s joined mesh %s with %d agents, not %d; another size needs another --host and a new --join TOKEN", id.Host, id.Mesh, id.Agents, o.Agents)
	}
	return id, nil
}

// enlist joins with agents in the proportion of the profile.
func (o *Options) enlist(ctx context.Context, p *Profile, dir string) (*agentd.Identity, error) {
	if o.Join == "" {
		return nil, misused("this fleet has not joined a mesh yet (nothing in %s): start it once with --join TOKEN; `mesh30k invite host` makes one", dir)
	}
	join := wire.Join{Mesh: o.Mesh, Host: o.Host, Sim: true}
	counts := p.Counts(cmp.Or(o.Agents, DefaultAgents))
	for _, c := range wire.Classes {
		if counts[c] > 0 {
			join.Agents = append(join.Agents, wire.AgentSpec{Class: c, Count: counts[c]})
		}
	}
	id, err := agentd.Enlist(ctx, o.Join, o.URL, dir, join)
	if err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	return id, nil
}
