// Command mesh30k runs a mesh of AI agents and the console of the person who
// orchestrates it. This file wires the rooms together; it parses and decides
// nothing. README.md says what the program does, each room's DESIGN.md how.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/adrg/xdg"
	"github.com/charmbracelet/x/term"
	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"mesh30k/agentd"
	"mesh30k/agentd/fleet"
	"mesh30k/console"
	"mesh30k/console/cli"
	"mesh30k/console/client"
	"mesh30k/meshcore"
	"mesh30k/meshcore/lab"
	"mesh30k/meshcore/registry"
	"mesh30k/meshcore/wire"
	"mesh30k/store"
	"mesh30k/views"
)

const program = "mesh30k 0.1.0"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	if os.Getenv(lab.Guard) != "" {
		ctx = untilEOF(ctx, os.Stdin)
	}
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// untilEOF ends the context when in does: a child ends with its parent's pipe,
// however the parent ends.
func untilEOF(ctx context.Context, in io.Reader) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, in) // an error ends the pipe too
		cancel()
	}()
	return ctx
}

// app is one run of the program.
type app struct {
	deps     cli.Deps
	settings *cli.Settings
	log      *slog.Logger
}

func run(ctx context.Context, args []string, in *os.File, out, errs *os.File) int {
	a := &app{log: slog.New(slog.DiscardHandler)}
	a.deps = cli.Deps{
		Connect: func(ctx context.Context, _ string) (cli.Plane, error) {
			home, err := a.home()
			if err != nil {
				return nil, coded(err)
			}
			c, err := a.connect(home)
			if err != nil { // a nil client in an interface would not be nil
				return nil, coded(err)
			}
			return c, nil
		},
		In: in, Out: out, Err: errs,
		Terminal: term.IsTerminal(in.Fd()) && term.IsTerminal(errs.Fd()),
		Color:    term.IsTerminal(errs.Fd()) && os.Getenv("NO_COLOR") == "",
	}
	if len(args) > 0 && args[0] == "agentd" {
		return agentd.Main(args[1:], in, out, errs) // mesh-agentd has the same flags
	}
	return cli.Run(ctx, a.root(), args, a.deps)
}

// codes are what errors of the rooms mean for who runs the program: its exit code.
var codes = []struct {
	is   error
	code wire.Code
}{
	{meshcore.ErrNoMesh, wire.CodeBadMessage},
	{meshcore.ErrExists, wire.CodeForbidden},
	{meshcore.ErrLocked, wire.CodeForbidden},
	{meshcore.ErrNewer, wire.CodeForbidden},
	{meshcore.ErrPortTaken, wire.CodeForbidden},
	{meshcore.ErrStorage, wire.CodeForbidden},
	{meshcore.ErrDiskFull, wire.CodeForbidden},
	{meshcore.ErrDamaged, wire.CodeForbidden},
	{store.ErrNewer, wire.CodeForbidden},
	{store.ErrLocked, wire.CodeForbidden},
	{store.ErrReadOnly, wire.CodeForbidden},
	{store.ErrFull, wire.CodeForbidden},
	{store.ErrAhead, wire.CodeForbidden},
	{fs.ErrPermission, wire.CodeForbidden},
	{syscall.EROFS, wire.CodeForbidden},
	{agentd.ErrUnreachable, wire.CodeUnreachable},
}

// coded gives an error of a room the code that it means.
func coded(err error) error {
	var known *wire.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	for _, c := range codes {
		if errors.Is(err, c.is) {
			return wire.Errorf(c.code, "%v", err)
		}
	}
	return err
}

func (a *app) root() *cobra.Command {
	root := cli.NewRoot(a.deps)
	cli.AddSettings(root)
	root.Version = program
	root.SetVersionTemplate("{{.Version}}\n")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) (err error) {
		if a.settings, err = cli.LoadSettings(cmd, configFile(), os.LookupEnv); err != nil {
			return err
		}
		var level slog.Level
		_ = level.UnmarshalText([]byte(a.settings.Log)) // one of the four that it may be
		a.log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
		return nil
	}
	cli.AddPrograms(root, a.deps, cli.Programs{
		Console: a.console, Core: a.core, Demo: a.demo, Init: a.init, Connect: a.accept, Fleet: a.fleet,
		Bench: a.benches(), Info: a.info, Doctor: a.doctor, Coded: coded,
	})
	return root
}

func configFile() string { return filepath.Join(xdg.ConfigHome, "mesh30k", "config.yaml") }

// data is the folder of all meshes.
func (a *app) data() string {
	if a.settings.Data != "" {
		return a.settings.Data
	}
	return filepath.Join(xdg.DataHome, "mesh30k")
}

// home is the mesh that was named, or the one whose core runs.
func (a *app) home() (*meshcore.Home, error) {
	return meshcore.FindHome(a.data(), a.settings.Mesh)
}

// connect reaches the core of a mesh as the person whose credentials are here.
func (a *app) connect(home *meshcore.Home) (*client.Client, error) {
	nc, me, err := home.Dial(a.settings.As)
	if err != nil {
		return nil, err
	}
	return client.New(nc, me.Name), nil
}

// init makes a mesh and says how to go on.
func (a *app) init(cmd *cobra.Command, o cli.InitOptions) (cli.Made, error) {
	topology := registry.DefaultTopology(o.Name, o.Sectors, o.Clusters, o.Agents)
	switch {
	case o.Topology != "":
		read, err := registry.ReadTopology(o.Name, o.Topology)
		if err != nil {
			return cli.Made{}, err
		}
		topology = *read
	case len(o.Sizes) > 0:
		topology = registry.RaggedTopology(o.Name, o.Sizes)
	}
	home, err := meshcore.InitHome(a.data(), topology, o.Person)
	if err != nil {
		return cli.Made{}, err
	}
	token, err := home.FirstToken(cmd.Context(), o.TTL)
	if err != nil {
		return cli.Made{}, err
	}
	return cli.Made{
		Mesh: o.Name, Dir: home.Dir, Person: o.Person, Sectors: len(topology.Sectors), Seats: topology.Seats(),
		Join: token, Paste: "mesh30k agentd run --join " + token + " -- ./my-program",
	}, nil
}

// accept joins a mesh as the person who was invited.
func (a *app) accept(cmd *cobra.Command, o cli.ConnectOptions) (cli.Connected, error) {
	home, me, err := meshcore.Connect(cmd.Context(), a.data(), meshcore.ConnectOptions{
		Token: o.Token, As: a.settings.As, Name: o.Name, URL: o.URL,
	})
	if err != nil {
		return cli.Connected{}, err
	}
	return cli.Connected{
		Mesh: home.Remote.Mesh, Name: home.Mesh(), Dir: home.Dir, URL: home.Remote.URL,
		Person: me.Name, Role: me.Role(), Expires: me.Expires().UTC(),
	}, nil
}

// core runs a core node until it is told to end.
func (a *app) core(cmd *cobra.Command, o cli.CoreOptions) (err error) {
	home, err := a.home()
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	var history *store.Store
	dispatcher := new(console.Dispatcher)
	defer func() {
		if history != nil {
			err = errors.Join(err, history.Close())
		}
		err = untold(ctx, err)
	}()
	return meshcore.RunNode(ctx, meshcore.NodeOptions{
		Home: home, Port: o.Port, Listen: o.Listen, MaxStore: o.MaxStore, Heartbeat: o.Heartbeat, Log: a.log,
		Project: func(ctx context.Context, s meshcore.StreamIdentity) (meshcore.Projection, error) {
			history, err = store.Open(ctx, home.DatabaseDir(), store.Options{
				Stream: &store.Stream{ID: s.ID, Last: s.Last},
				Notice: func(text string) { a.log.Warn(text) },
			})
			return projection{history, o.MaxStore}, err
		},
		Act: func(core *meshcore.Core, _ meshcore.Projection, facts *meshcore.Ledger) (meshcore.Actor, error) {
			head, err := history.AuditHead(ctx)
			dispatcher = console.NewDispatcher(console.Ports{
				Mesh: mesh{core}, Past: history, Auditor: meshcore.NewAuditor(facts, head), People: core,
			}, console.Options{ReadOnly: a.settings.ReadOnly})
			context.AfterFunc(ctx, dispatcher.Close)
			return dispatcher.Do, err
		},
		Serving: func(core *meshcore.Core, url string) {
			fmt.Fprintf(cmd.ErrOrStderr(), "mesh %s serves at %s\n", home.Mesh(), url)
			if os.Getenv(lab.Guard) != "" {
				go tellStatus(ctx, cmd.OutOrStdout(), core, url)
			}
		},
	})
}

// untold is err, unless the program was told to end while it started: to break
// off is then no failure.
func untold(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// tellStatus writes a status line a second, for the process that has started
// this one.
func tellStatus(ctx context.Context, w io.Writer, core *meshcore.Core, url string) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for ctx.Err() == nil {
		status := lab.CoreStatus{URL: url, Goroutines: runtime.NumGoroutine()}
		if s := core.Stats(); s != nil {
			status.Stats = *s
		}
		if line, err := json.Marshal(status); err == nil {
			_, _ = w.Write(append(line, '\n')) // a reader that has gone is no reason to stop
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// projection is the store as the core sees it.
type projection struct {
	*store.Store
	budget int64 // of the facts in the stream, in bytes; 0: the default
}

func (p projection) Memory(ctx context.Context) (m meshcore.Memory, err error) {
	hosts, e1 := p.Agents(ctx)
	for _, h := range hosts {
		m.Hosts = append(m.Hosts, wire.HostJoined{Key: h.Key, Agents: h.Agents})
	}
	tokens, e2 := p.Tokens(ctx)
	m.TokensUsed = map[string][]string{}
	for _, t := range tokens {
		m.Tokens = append(m.Tokens, t.Token)
		m.TokensUsed[t.ID] = t.By
	}
	var e3, e4 error
	m.People, e3 = p.People(ctx)
	m.Freezes, e4 = p.FreezeOrders(ctx)
	open, e5 := p.OpenOperations(ctx)
	for _, o := range open {
		m.Operations = append(m.Operations, meshcore.OpenOperation{Operation: o.Operation, Final: o.Final})
	}
	return m, errors.Join(e1, e2, e3, e4, e5)
}

func (p projection) Retain(ctx context.Context, now time.Time) (uint64, error) {
	if err := p.Thin(ctx, now); err != nil {
		return 0, err
	}
	// What the projection holds the stream must hold too. It lets go first, or the
	// stream could make no room.
	r, err := p.Store.Retain(ctx, now, store.RetentionOptions{
		Age: meshcore.FactsAge, MaxBytes: cmp.Or(p.budget, meshcore.DefaultLedgerBytes) / 5 * 2,
	})
	return r.OldestNeeded, err
}

// mesh is the core as the dispatcher sees it.
type mesh struct{ *meshcore.Core }

func (m mesh) Picture() console.Picture { return picture{m.View(), m.Core} }

// picture is a view whose statistics have what only the core knows.
type picture struct {
	*registry.View
	core *meshcore.Core
}

func (p picture) Stats() wire.GlobalStats { return p.core.Complete(p.View.Stats()) }

// fleet runs emulated agents until it is told to end.
func (a *app) fleet(cmd *cobra.Command, o cli.FleetOptions) error {
	err := fleet.Run(cmd.Context(), fleet.Options{
		Join: cmp.Or(o.Join, os.Getenv(lab.JoinToken)), Mesh: a.settings.Mesh, Host: o.Host, State: o.State, URL: o.URL,
		Agents: o.Agents, Seed: o.Seed, Profile: o.Profile, Churn: o.Churn, Loss: o.Loss, Drain: o.Drain,
		Status: cmd.OutOrStdout(), Program: program, Log: a.log,
	})
	return untold(cmd.Context(), err)
}

// console shows a mesh until the person leaves.
func (a *app) console(cmd *cobra.Command) error {
	home, err := a.home()
	if err != nil {
		return err
	}
	return a.show(cmd.Context(), home, "")
}

func (a *app) show(ctx context.Context, home *meshcore.Home, waiting string) error {
	me, err := home.Person(a.settings.As)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	feed, acts := make(screen), new(hands)
	mirror := client.Mirror{
		Find: func(ctx context.Context) (*client.Client, error) {
			c, err := a.connect(home)
			acts.latest.Store(c)
			return c, err
		},
		NewReplica: func(t *wire.Topology) client.Replica { return replica{registry.NewReplica(t)} },
		Show: func(s client.Sight) {
			if s.Picture == nil && waiting != "" {
				s.Why = waiting // nobody has gone: the core has yet to come
			}
			feed.show(ctx, s, home.Mesh())
		},
	}
	go mirror.Run(ctx)
	// The core refuses an observer's changes; the console does not offer them.
	readOnly := a.settings.ReadOnly || me.Role() == string(wire.Observer)
	return views.Run(ctx, views.Options{Feed: feed, Actions: acts, ReadOnly: readOnly, Waiting: cmp.Or(waiting, "looking for the core")})
}

// replica is a registry.Replica as a console keeps one.
type replica struct{ *registry.Replica }

func (r replica) Picture() console.Picture { return r.View() }

// screen is a mirror as the views see it.
type screen chan views.Update

func (s screen) Next() <-chan views.Update { return s }

func (s screen) show(ctx context.Context, now client.Sight, url string) {
	u := views.Update{
		Picture: now.Picture, Stats: now.Stats, Facts: now.Facts, Dropped: now.Dropped, At: now.At,
		Conn: views.ConnState{Up: now.Up, Since: now.Since, URL: url, Why: now.Why},
	}
	select {
	case s <- u:
	case <-ctx.Done():
	}
}

// hands carry what a person does at the console to whichever core is there.
type hands struct{ latest atomic.Pointer[client.Client] }

func (h *hands) client() (*client.Client, error) {
	if c := h.latest.Load(); c != nil {
		return c, nil
	}
	return nil, wire.Errorf(wire.CodeUnreachable, "the core is not there").WithHint("it is being tried: see the header")
}

func (h *hands) Plan(ctx context.Context, a console.Action) (wire.Plan, error) {
	c, err := h.client()
	if err != nil {
		return wire.Plan{}, err
	}
	plan, out := c.Plan(ctx, a)
	if plan == nil {
		_, err := answered(out)
		return wire.Plan{}, err
	}
	return *plan, nil
}

func (h *hands) Execute(ctx context.Context, plan wire.Plan, typed int, progress func(wire.Progress)) (wire.Outcome, error) {
	c, err := h.client()
	if err != nil {
		return wire.Outcome{}, err
	}
	action, err := console.Decode(plan.Action)
	if err != nil {
		return wire.Outcome{}, err
	}
	return answered(c.Execute(ctx, plan.Hash, action, typed, client.Handlers{Progress: progress}))
}

func (h *hands) Emergency(ctx context.Context, reason string) (wire.Outcome, error) {
	c, err := h.client()
	if err != nil {
		return wire.Outcome{}, err
	}
	return answered(c.Emergency(ctx, reason, client.Handlers{}))
}

func (h *hands) Read(ctx context.Context, a console.Action) (wire.Outcome, error) {
	c, err := h.client()
	if err != nil {
		return wire.Outcome{}, err
	}
	return answered(c.Read(ctx, a, client.Handlers{}))
}

// answered makes an error of an outcome that carries one, or that is none.
func answered(out wire.Outcome) (wire.Outcome, error) {
	switch {
	case out.Err != nil:
		return out, out.Err
	case out.Verdict == "":
		return out, wire.Errorf(wire.CodeInternal, "the core gave no answer")
	}
	return out, nil
}

// demo is the console with a core and a fleet as its children; headless it
// measures them instead.
func (a *app) demo(cmd *cobra.Command, o cli.DemoOptions) (any, string, error) {
	m, home, err := a.stage(o.Mesh, o.Keep, o.Agents, o.Fleet.Args())
	if err != nil {
		return nil, "", err
	}
	if o.Headless {
		figures, err := m.Demo(cmd.Context(), o.For)
		return figures, figures.Table(), err
	}
	m.Patience = time.Second // a person waits; whatever is kept survives being killed
	ctx, leave := context.WithCancel(cmd.Context())
	defer leave()
	ended := make(chan error, 1)
	go func() { // the first frame does not wait for the mesh
		defer leave() // a mesh that cannot be kept up leaves nothing to show
		ended <- m.Supervise(ctx)
	}()
	err = a.show(ctx, home, fmt.Sprintf("starting a core and %d emulated agents", o.Agents))
	leave()
	if failed := <-ended; errors.Is(err, context.Canceled) {
		err = failed // it is why the console was left
	} else {
		err = errors.Join(err, failed)
	}
	for _, incident := range m.Incidents() { // the screen is restored
		fmt.Fprintln(cmd.ErrOrStderr(), incident)
	}
	return nil, "", err
}

// stage sets up the mesh of a demo or bench, made anew unless it is kept.
func (a *app) stage(name string, keep bool, agents int, fleetArgs []string) (*lab.Mesh, *meshcore.Home, error) {
	state := filepath.Join(a.data(), name, "fleet") // what tells such a mesh from others
	if !keep {
		if err := a.strike(name, state); err != nil {
			return nil, nil, err
		}
	}
	home, err := meshcore.OpenHome(a.data(), name)
	if errors.Is(err, meshcore.ErrNoMesh) {
		if home, err = meshcore.InitHome(a.data(), registry.TopologyFor(name, agents), "operator"); err == nil {
			err = os.Mkdir(state, 0o700)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("finding this program: %w", err)
	}
	return &lab.Mesh{
		Exe: exe, Name: name, Home: home, Agents: agents, Args: []string{"--data", a.data(), "--log", a.settings.Log},
		State: state, FleetArgs: fleetArgs,
		Say: func(ctx context.Context, command string) (wire.Outcome, error) { return a.say(ctx, home, command) },
	}, home, nil
}

// strike removes the mesh of an earlier demo or bench, and no other: who made a
// mesh, or joined one, does not lose it to a demo of the same name.
func (a *app) strike(name, state string) error {
	_, there := os.Stat(filepath.Dir(state))
	if _, err := os.Stat(state); there == nil && errors.Is(err, fs.ErrNotExist) {
		return wire.Errorf(wire.CodeForbidden, "mesh %s was not made by a demo or bench: it is not made anew", name).
			WithHint("choose another name with --mesh, or let it be with --keep")
	}
	return meshcore.RemoveHome(a.data(), name)
}

// say carries out a command as the orchestrator types it after ':', with its
// confirmation.
func (a *app) say(ctx context.Context, home *meshcore.Home, command string) (wire.Outcome, error) {
	action, err := console.ParseLine(command)
	if err != nil {
		return wire.Outcome{}, err
	}
	c, err := a.connect(home)
	if err != nil {
		return wire.Outcome{}, err
	}
	defer c.Close()
	if console.EntryOf(action).Risk == console.Read {
		return answered(c.Read(ctx, action, client.Handlers{}))
	}
	plan, out := c.Plan(ctx, action)
	if plan == nil {
		return answered(out)
	}
	return answered(c.Execute(ctx, plan.Hash, action, plan.Count, client.Handlers{}))
}

// benches are what `mesh30k bench` measures.
func (a *app) benches() map[string]cli.Bench {
	return map[string]cli.Bench{
		"registry": {Short: "the registry at 30,000, 100,000 and 300,000 agents", Run: func(*cobra.Command, cli.BenchOptions) (map[string]float64, error) {
			figures, ratios, err := lab.BenchRegistry([]int{30_000, 100_000, 300_000})
			maps.Copy(figures, ratios)
			return figures, err
		}},
		"freeze": {Short: "freeze, kill, thaw: what is begun, kept and lost", Run: func(cmd *cobra.Command, o cli.BenchOptions) (map[string]float64, error) {
			m, _, err := a.stage("bench-freeze", false, o.Agents, nil)
			if err != nil {
				return nil, err
			}
			b := lab.FreezeBench{Broadcasts: 3, Kill: o.Kill, Talk: cmd.ErrOrStderr()}
			return b.Run(cmd.Context(), m)
		}},
		"soak": {Short: "ten times the events for long: what grows, and how fast", Run: func(cmd *cobra.Command, o cli.BenchOptions) (map[string]float64, error) {
			m, _, err := a.stage("bench-soak", false, o.Agents, []string{"--churn", strconv.Itoa(lab.SoakChurn)})
			if err != nil {
				return nil, err
			}
			b := lab.SoakBench{For: o.For, Talk: cmd.ErrOrStderr()}
			return b.Run(cmd.Context(), m)
		}},
		"bus": {Short: "deliveries a second, by cluster and singly, beside plain NATS", Run: func(cmd *cobra.Command, o cli.BenchOptions) (map[string]float64, error) {
			m, home, err := a.stage("bench-bus", false, o.Agents, nil)
			if err != nil {
				return nil, err
			}
			b := lab.BusBench{Home: home, Talk: cmd.ErrOrStderr()}
			return b.Run(cmd.Context(), m)
		}},
	}
}

func (a *app) info(*cobra.Command) ([]cli.Setting, error) {
	settings := a.settings.List()
	path := func(name, value, source string) {
		settings = append(settings, cli.Setting{Name: name, Value: value, Source: source})
	}
	file := "missing"
	if a.settings.File != "" {
		file = "read"
	}
	path("config file", configFile(), file)
	path("meshes", a.data(), "XDG_DATA_HOME or --data")
	state, err := agentd.StateDir()
	if err != nil {
		return nil, err
	}
	path("agents' state", state, "XDG_STATE_HOME")
	path("version", program, "this program")
	path("protocol", wire.Current.String(), "this program")
	cores, err := meshcore.RunningCores(a.data())
	for _, c := range cores {
		path("core of "+c.Mesh, c.URL, fmt.Sprintf("process %d", c.PID))
	}
	return settings, err
}

func (a *app) doctor(cmd *cobra.Command) ([]cli.Check, error) {
	var checks []cli.Check
	for _, e := range meshcore.Examine(cmd.Context(), a.data()) {
		checks = append(checks, cli.Check{Name: e.Name, OK: e.OK, Found: e.Found, Do: e.Do})
	}
	return checks, nil
}
