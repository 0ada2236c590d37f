// Command mesh30k runs a mesh of AI agents and the console of the person who
// orchestrates it. This file wires the rooms together; it parses and decides
// nothing: see README.md for what it does and meshcore/DESIGN.md for how.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/adrg/xdg"
	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"mesh30k/agentd"
	"mesh30k/agentd/fleet"
	"mesh30k/console"
	"mesh30k/console/client"
	"mesh30k/meshcore"
	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/lab"
	"mesh30k/meshcore/registry"
	"mesh30k/meshcore/wire"
	"mesh30k/store"
	"mesh30k/views"
)

const program = "mesh30k 0.1.0"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if os.Getenv(lab.Guard) != "" {
		ctx = untilEOF(ctx, os.Stdin)
	}
	root := rootCommand()
	root.SetArgs(os.Args[1:])
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "mesh30k:", err)
		os.Exit(1)
	}
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

func rootCommand() *cobra.Command {
	root := &cobra.Command{Use: "mesh30k", SilenceUsage: true, SilenceErrors: true}
	root.PersistentFlags().String("mesh", "demo", "name of the mesh")
	root.AddCommand(initCommand(), coreCommand(), fleetCommand(), demoCommand(), consoleCommand())
	return root
}

func dataRoot() string { return filepath.Join(xdg.DataHome, "mesh30k") }

func initCommand() *cobra.Command {
	var sectors, clusters, agents int
	c := &cobra.Command{Use: "init NAME", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		h, err := meshcore.InitHome(dataRoot(), registry.DefaultTopology(args[0], sectors, clusters, agents), "operator")
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), h.Dir)
		return nil
	}}
	c.Flags().IntVar(&sectors, "sectors", 100, "")
	c.Flags().IntVar(&clusters, "clusters", 10, "")
	c.Flags().IntVar(&agents, "agents", 30, "")
	return c
}

// projection is the store as the core sees it.
type projection struct{ *store.Store }

func (p projection) Memory(ctx context.Context) (m meshcore.Memory, err error) {
	hosts, err := p.Agents(ctx)
	if err != nil {
		return m, err
	}
	for _, h := range hosts {
		m.Hosts = append(m.Hosts, wire.HostJoined{Key: h.Key, Agents: h.Agents})
	}
	tokens, err := p.Tokens(ctx)
	if err != nil {
		return m, err
	}
	m.TokensUsed = map[string]int{}
	for _, t := range tokens {
		m.Tokens = append(m.Tokens, t.Token)
		m.TokensUsed[t.ID] = len(t.By)
	}
	if m.People, err = p.People(ctx); err != nil {
		return m, err
	}
	if m.Freezes, err = p.FreezeOrders(ctx); err != nil {
		return m, err
	}
	open, err := p.OpenOperations(ctx)
	for _, o := range open {
		m.Operations = append(m.Operations, meshcore.OpenOperation{Operation: o.Operation, Final: o.Final})
	}
	return m, err
}

func (p projection) Retain(ctx context.Context, now time.Time) (uint64, error) {
	if err := p.Thin(ctx, now); err != nil {
		return 0, err
	}
	r, err := p.Store.Retain(ctx, now, store.RetentionOptions{Age: 30 * 24 * time.Hour})
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

func coreCommand() *cobra.Command {
	var port int
	c := &cobra.Command{Use: "core", RunE: func(cmd *cobra.Command, _ []string) error {
		name, _ := cmd.Flags().GetString("mesh")
		home, err := meshcore.OpenHome(dataRoot(), name)
		if err != nil {
			return err
		}
		return runCore(cmd.Context(), home, port, cmd.OutOrStdout(), slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil)))
	}}
	c.Flags().IntVar(&port, "port", 0, "")
	return c
}

func runCore(ctx context.Context, home *meshcore.Home, port int, status io.Writer, log *slog.Logger) error {
	var history *store.Store
	defer func() {
		if history != nil {
			history.Close()
		}
	}()
	var dispatcher *console.Dispatcher
	defer func() {
		if dispatcher != nil {
			dispatcher.Close()
		}
	}()
	return meshcore.RunNode(ctx, meshcore.NodeOptions{
		Home: home, Port: port, Log: log,
		Project: func(ctx context.Context, s meshcore.StreamIdentity) (meshcore.Projection, error) {
			var err error
			history, err = store.Open(ctx, filepath.Join(home.Dir, "db"), store.Options{
				Stream: &store.Stream{ID: s.ID, Last: s.Last},
				Notice: func(text string) { log.Warn(text) },
			})
			return projection{history}, err
		},
		Act: func(core *meshcore.Core, p meshcore.Projection, facts *meshcore.Ledger) (meshcore.Actor, error) {
			head, err := history.AuditHead(ctx)
			if err != nil {
				return nil, err
			}
			dispatcher = console.NewDispatcher(console.Ports{
				Mesh: mesh{core}, Past: history, Auditor: meshcore.NewAuditor(facts, head), People: core,
			}, console.Options{})
			return dispatcher.Do, nil
		},
		Serving: func(core *meshcore.Core, url string) {
			go tellStatus(ctx, status, core, url)
		},
	})
}

// tellStatus writes a status line a second.
func tellStatus(ctx context.Context, w io.Writer, core *meshcore.Core, url string) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		status := lab.CoreStatus{URL: url}
		if s := core.Stats(); s != nil {
			status.Stats = *s
		}
		if line, err := json.Marshal(status); err == nil {
			_, _ = w.Write(append(line, '\n')) // a reader that has gone is no reason to stop
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func fleetCommand() *cobra.Command {
	var token string
	var agents int
	var churn, loss float64
	c := &cobra.Command{Use: "fleet", RunE: func(cmd *cobra.Command, _ []string) error {
		return fleetRun(cmd, token, agents, churn, loss)
	}}
	c.Flags().StringVar(&token, "join", "", "")
	c.Flags().IntVar(&agents, "agents", 30000, "")
	c.Flags().Float64Var(&churn, "churn", 0, "")
	c.Flags().Float64Var(&loss, "loss", 0, "")
	return c
}

func fleetRun(cmd *cobra.Command, token string, agents int, churn, loss float64) error {
	t, err := auth.ParseToken(token)
	if err != nil {
		return err
	}
	nc, err := nats.Connect(t.URL, t.Credentials().Options(wire.InboxPrefix(t.ID), 1)...)
	if err != nil {
		return err
	}
	key, seed, err := auth.NewUserKey()
	if err != nil {
		return err
	}
	j := &wire.Join{Header: wire.Head(wire.TypeJoin), Mesh: t.Mesh, Host: "sim", Key: key, Sim: true}
	for _, class := range wire.Classes {
		j.Agents = append(j.Agents, wire.AgentSpec{Count: class.Allocation() * agents / 30000, Class: class})
	}
	msg, err := nc.Request("m.join."+t.ID, wire.Encode(j), 30*time.Second)
	if err != nil {
		return err
	}
	var joined wire.Joined
	if err := wire.Decode(msg.Data, wire.TypeJoined, &joined); err != nil {
		return fmt.Errorf("%w: %s", err, msg.Data)
	}
	nc.Close()
	f, err := fleet.New(fleet.Config{Joined: &joined, Agents: agents, Seed: 1, Profile: fleet.Default(), Connect: func(g wire.Grant, opts ...nats.Option) (*nats.Conn, error) {
		c, err := auth.NewCredentials(g.JWT, seed)
		if err != nil {
			return nil, err
		}
		return nats.Connect(t.URL, append(c.Options(wire.InboxPrefix(joined.Host), 100), opts...)...)
	}})
	if err != nil {
		return err
	}
	return f.Report(cmd.Context(), cmd.OutOrStdout(), time.Second)
}

func demoCommand() *cobra.Command {
	var life time.Duration
	c := &cobra.Command{Use: "demo", RunE: func(cmd *cobra.Command, _ []string) error {
		return runDemo(cmd, life)
	}}
	c.Flags().Bool("headless", false, "")
	c.Flags().DurationVar(&life, "for", time.Minute, "")
	return c
}

func runDemo(cmd *cobra.Command, life time.Duration) error {
	ctx := cmd.Context()
	if err := meshcore.RemoveHome(dataRoot(), "demo"); err != nil {
		return err
	}
	home, err := meshcore.InitHome(dataRoot(), registry.DefaultTopology("demo", 100, 10, 30), "operator")
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	started := time.Now()
	m := &lab.Mesh{Exe: exe, Name: "demo", Talk: os.Stderr, Invite: func(ctx context.Context) (string, error) { return inviteHost(ctx, home) }}
	if _, err := m.StartCore(ctx); err != nil {
		return err
	}
	if err := m.StartFleet(ctx); err != nil {
		return err
	}
	f, err := m.MeasureDemo(ctx, 30000, started, life)
	if err != nil {
		return err
	}
	line, err := json.Marshal(f)
	fmt.Println(string(line))
	return err
}

func connect(ctx context.Context, home *meshcore.Home) (*client.Client, error) {
	info, ok := home.Core()
	if !ok {
		return nil, errors.New("no core runs")
	}
	me, err := home.Person("")
	if err != nil {
		return nil, err
	}
	nc, err := nats.Connect(info.URL, me.Options(wire.InboxPrefix(me.Name), 1)...)
	if err != nil {
		return nil, err
	}
	return client.New(nc, me.Name), nil
}

func inviteHost(ctx context.Context, home *meshcore.Home) (string, error) {
	c, err := connect(ctx, home)
	if err != nil {
		return "", err
	}
	defer c.Close()
	action := console.Invite{What: "host", TTL: time.Hour}
	plan, out := c.Plan(ctx, action)
	if plan == nil {
		return "", errors.New(out.Text)
	}
	out = c.Execute(ctx, plan.Hash, action, plan.Count, client.Handlers{})
	if out.Verdict != wire.Done {
		return "", errors.New(out.Text)
	}
	var inv console.Invitation
	return inv.Paste, json.Unmarshal(out.Data, &inv)
}

// replica is a registry.Replica as a console keeps one.
type replica struct{ *registry.Replica }

func (r replica) Picture() console.Picture { return r.View() }

// screen is a mirror as the views see it.
type screen chan views.Update

func (s screen) Next() <-chan views.Update { return s }

func (s screen) show(ctx context.Context, now client.Sight, url string) {
	u := views.Update{
		Picture: now.Picture, Stats: now.Stats, Facts: now.Facts, At: now.At,
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
	return nil, wire.Errorf(wire.CodeUnreachable, "the core is not there yet").WithHint("it is being tried; see the header")
}

func (h *hands) Plan(ctx context.Context, a console.Action) (wire.Plan, error) {
	c, err := h.client()
	if err != nil {
		return wire.Plan{}, err
	}
	plan, out := c.Plan(ctx, a)
	if plan == nil {
		return wire.Plan{}, out.Err
	}
	return *plan, nil
}

func (h *hands) Execute(ctx context.Context, plan wire.Plan, typed int, progress func(wire.Progress)) (wire.Outcome, error) {
	c, err := h.client()
	if err != nil {
		return wire.Outcome{}, err
	}
	a, err := console.Decode(plan.Action)
	if err != nil {
		return wire.Outcome{}, err
	}
	return answered(c.Execute(ctx, plan.Hash, a, typed, client.Handlers{Progress: progress}))
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

func answered(out wire.Outcome) (wire.Outcome, error) {
	if out.Err != nil {
		return out, out.Err
	}
	return out, nil
}

// runConsole shows a mesh until the person leaves.
func runConsole(ctx context.Context, home *meshcore.Home, waiting string) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	feed, acts := make(screen), new(hands)
	mirror := client.Mirror{
		Find: func(ctx context.Context) (*client.Client, error) {
			c, err := connect(ctx, home)
			acts.latest.Store(c)
			return c, err
		},
		NewReplica: func(t *wire.Topology) client.Replica { return replica{registry.NewReplica(t)} },
		Show:       func(s client.Sight) { feed.show(ctx, s, home.Mesh()) },
	}
	go mirror.Run(ctx)
	return views.Run(ctx, views.Options{Feed: feed, Actions: acts, Waiting: waiting})
}

func consoleCommand() *cobra.Command {
	return &cobra.Command{Use: "console", RunE: func(cmd *cobra.Command, _ []string) error {
		name, _ := cmd.Flags().GetString("mesh")
		home, err := meshcore.OpenHome(dataRoot(), name)
		if err != nil {
			return err
		}
		return runConsole(cmd.Context(), home, "looking for the core")
	}}
}

var (
	_ = agentd.NewHost
	_ = fleet.New
	_ = auth.ParseToken
)
