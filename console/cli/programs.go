package cli

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mesh30k/meshcore/wire"
)

// Programs are the commands that run something on this machine rather than ask
// a core for an action. main fills them in; what they print goes through the
// same envelope.
type Programs struct {
	Console func(cmd *cobra.Command) error
	Core    func(cmd *cobra.Command, o CoreOptions) error
	Demo    func(cmd *cobra.Command, o DemoOptions) (data any, text string, err error)
	Init    func(cmd *cobra.Command, o InitOptions) (Made, error)
	Connect func(cmd *cobra.Command, o ConnectOptions) (Connected, error)
	Fleet   func(cmd *cobra.Command, o FleetOptions) error
	Bench   map[string]Bench
	Info    func(cmd *cobra.Command) ([]Setting, error)
	Doctor  func(cmd *cobra.Command) ([]Check, error)
	// Coded gives an error of theirs the code that it means, if it has one.
	Coded func(error) error
}

// AddPrograms hangs the commands under root; the bare command is the console.
func AddPrograms(root *cobra.Command, d Deps, p Programs) {
	root.RunE = func(cmd *cobra.Command, _ []string) error { return p.Console(cmd) }
	fleets := fleetCommand(p)
	fleets.AddCommand(InjectCommand(d))
	root.AddCommand(
		&cobra.Command{
			Use: "console", Short: "watch and steer a mesh on the terminal", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return p.Console(cmd) },
		},
		coreCommand(p), demoCommand(p), initCommand(p), connectCommand(p), agentdCommand(), fleets, benchCommand(p), infoCommand(p), doctorCommand(p),
	)
	if p.Coded == nil {
		return
	}
	for _, c := range append(root.Commands(), root) {
		if run := c.RunE; run != nil {
			c.RunE = func(cmd *cobra.Command, args []string) error { return p.Coded(run(cmd, args)) }
		}
	}
}

// CoreOptions are the flags of core.
type CoreOptions struct {
	Port      int
	Listen    string
	MaxStore  int64 // bytes
	Heartbeat time.Duration
}

func coreCommand(p Programs) *cobra.Command {
	var o CoreOptions
	var budget int64
	c := &cobra.Command{
		Use: "core", Short: "run the core of a mesh: broker, registry, facts, dispatcher", Args: cobra.NoArgs,
		Long: "Runs the core of a mesh that `mesh30k init` made, until SIGTERM or Ctrl-C.\nHosts and people reach it on loopback.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if budget < 64 {
				return wire.Errorf(wire.CodeBadMessage, "--max-store %d: want at least 64 (MiB)", budget)
			}
			if o.Heartbeat < 100*time.Millisecond || o.Heartbeat > time.Hour {
				return wire.Errorf(wire.CodeBadMessage, "--heartbeat %v: want 100ms to 1h", o.Heartbeat)
			}
			o.MaxStore = budget << 20
			return p.Core(cmd, o)
		},
	}
	f := c.Flags()
	f.IntVar(&o.Port, "port", 0, "TCP `PORT`; 0: that of the last run, or any free one")
	f.StringVar(&o.Listen, "listen", "127.0.0.1", "`ADDRESS` to listen on; only loopback until there is TLS")
	f.Int64Var(&budget, "max-store", 2048, "disk budget of the facts in `MiB`")
	f.DurationVar(&o.Heartbeat, "heartbeat", 5*time.Second, "interval of the agents' heartbeats")
	return c
}

// DemoOptions are the flags of demo.
type DemoOptions struct {
	Mesh     string
	Agents   int
	Headless bool
	For      time.Duration
	Keep     bool
	Fleet    FleetOptions
}

func demoCommand(p Programs) *cobra.Command {
	var o DemoOptions
	c := &cobra.Command{
		Use: "demo", Short: "a living mesh of emulated agents, with a console", Args: cobra.NoArgs,
		Long: `Starts a core and a fleet of emulated agents as children of the console; they
end with it, however it ends. The mesh "demo" is made anew each time.

--headless shows nothing: when all agents are active it measures for a while,
ends the mesh and prints what was sent, folded and used.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("for") && !o.Headless {
				return wire.Errorf(wire.CodeBadMessage, "--for goes with --headless: the console ends when you leave it")
			}
			if mesh, _ := cmd.Flags().GetString("mesh"); mesh != "" {
				o.Mesh = mesh
			}
			data, text, err := p.Demo(cmd, o)
			if err != nil || data == nil {
				return err
			}
			return Say(cmd, wire.Done, data, text)
		},
	}
	o.Mesh = "demo"
	f := c.Flags()
	f.IntVar(&o.Agents, "agents", 30_000, "how many agents, 1 to 100,000")
	f.BoolVar(&o.Headless, "headless", false, "no console: measure and print figures")
	f.DurationVar(&o.For, "for", time.Minute, "how long to measure, once all agents are active")
	f.BoolVar(&o.Keep, "keep", false, "continue the mesh of the last demo")
	behaviourFlags(c, &o.Fleet)
	return c
}

// FleetOptions are the flags of fleet, and of demo those of its fleet.
type FleetOptions struct {
	Join    string
	Host    string
	State   string
	URL     string
	Agents  int
	Seed    uint64
	Profile string
	Churn   *float64
	Loss    *float64
	Drain   time.Duration
}

// behaviourFlags are those that demo and fleet share.
func behaviourFlags(c *cobra.Command, o *FleetOptions) {
	f := c.Flags()
	f.Uint64Var(&o.Seed, "seed", 1, "of all behaviour: the same seed, the same fleet")
	f.StringVar(&o.Profile, "profile", "", "fleet `FILE` (YAML) that says how agents behave")
	churn, loss := f.Float64("churn", 0, "crashes a minute, over the fleet"), f.Float64("loss", 0, "share of messages and heartbeats that are lost")
	pre := c.PreRunE
	c.PreRunE = func(cmd *cobra.Command, args []string) error {
		if f.Changed("churn") {
			o.Churn = churn
		}
		if f.Changed("loss") {
			o.Loss = loss
		}
		if pre != nil {
			return pre(cmd, args)
		}
		return nil
	}
}

// Args spells o as flags of the command fleet.
func (o FleetOptions) Args() []string {
	args := []string{"--seed", strconv.FormatUint(o.Seed, 10)}
	add := func(flag, value string) {
		if value != "" {
			args = append(args, "--"+flag, value)
		}
	}
	add("profile", o.Profile)
	if o.Churn != nil {
		add("churn", strconv.FormatFloat(*o.Churn, 'g', -1, 64))
	}
	if o.Loss != nil {
		add("loss", strconv.FormatFloat(*o.Loss, 'g', -1, 64))
	}
	return args
}

func fleetCommand(p Programs) *cobra.Command {
	var o FleetOptions
	c := &cobra.Command{
		Use: "fleet", Short: "host emulated agents", Args: cobra.NoArgs,
		Long: "Hosts emulated agents, labelled SIM wherever they are shown. The first start\nneeds a join token (`mesh30k invite host`); afterwards the fleet knows who it is.",
		RunE: func(cmd *cobra.Command, _ []string) error { return p.Fleet(cmd, o) },
	}
	f := c.Flags()
	f.StringVar(&o.Join, "join", "", "join `TOKEN`, for the first start")
	f.StringVar(&o.Host, "host", "", "`NAME` of the host (default sim)")
	f.StringVar(&o.State, "state", "", "`FOLDER` of identity and journals")
	f.StringVar(&o.URL, "url", "", "`URL` of the broker, in place of the token's")
	f.IntVar(&o.Agents, "agents", 0, "how many agents, at the first start (default 30000)")
	f.DurationVar(&o.Drain, "drain", 5*time.Second, "`TIME` for work in hand to end when the fleet does; what has not is begun anew")
	behaviourFlags(c, &o)
	return c
}

// InitOptions are the arguments of init.
type InitOptions struct {
	Name     string
	Person   string
	Sectors  int
	Clusters int
	Agents   int
	Sizes    [][]int // ragged: seats by cluster by sector
	// Topology is the file that says all of it, names of sectors and clusters
	// too; empty: there is none.
	Topology string
	TTL      time.Duration // of the first join token
}

// Made is the mesh that init made.
type Made struct {
	Mesh    string `json:"mesh"`
	Dir     string `json:"dir"`
	Person  string `json:"person"`
	Sectors int    `json:"sectors"`
	Seats   int    `json:"seats"`
	Join    string `json:"join"`  // the first token as it is spelled
	Paste   string `json:"paste"` // what to run on the first host
}

func initCommand(p Programs) *cobra.Command {
	var o InitOptions
	var sizes []string
	c := &cobra.Command{
		Use: "init NAME", Short: "make a mesh on this machine", Args: cobra.ExactArgs(1),
		Long: `Makes a mesh: its root keys, topology and the credentials of its first
operator. A cluster has at most 100 agents, a sector at most 100 clusters.

--sizes makes ragged ones: clusters separated by commas, sectors by semicolons:
--sizes "30,30,12;50" is a sector of three clusters and a sector of one.

--topology names a JSON file that says it all, as core's mesh.json has it:
{"sectors":[{"name":"berlin","clusters":[{"name":"pis","seats":{"E":12}}]}]}`,
		Example: "  mesh30k init home --sectors 2 --clusters 3 --agents 10",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			o.Name = args[0]
			if len(sizes) > 0 {
				if o.Sizes, err = parseSizes(strings.Join(sizes, ",")); err != nil {
					return err
				}
			}
			if o.TTL < time.Minute || o.TTL > 7*24*time.Hour {
				return wire.Errorf(wire.CodeBadMessage, "--ttl %v: want 1m to 168h", o.TTL)
			}
			made, err := p.Init(cmd, o)
			if err != nil {
				return err
			}
			return Say(cmd, wire.Done, made, fmt.Sprintf(`mesh %[1]s: %[2]d sectors, %[3]d seats, in %[4]s

  mesh30k core --mesh %[1]s      runs it
  mesh30k --mesh %[1]s           is its console
  mesh30k invite host            prints another line like this one:

To paste on a host, once, within %[5]v, while the core runs:

  %[6]s
`, made.Mesh, made.Sectors, made.Seats, made.Dir, o.TTL, made.Paste))
		},
	}
	f := c.Flags()
	f.StringVar(&o.Person, "person", "operator", "`NAME` of the first operator")
	f.IntVar(&o.Sectors, "sectors", 100, "sectors")
	f.IntVar(&o.Clusters, "clusters", 10, "clusters a sector")
	f.IntVar(&o.Agents, "agents", 30, "seats a cluster")
	f.StringSliceVar(&sizes, "sizes", nil, "ragged `SIZES` in place of the three")
	f.StringVar(&o.Topology, "topology", "", "JSON `FILE` with sectors, clusters, their names and seats")
	f.DurationVar(&o.TTL, "ttl", time.Hour, "how long the first join token holds")
	return c
}

func parseSizes(text string) (sizes [][]int, err error) {
	for sector := range strings.SplitSeq(text, ";") {
		var clusters []int
		for cluster := range strings.SplitSeq(sector, ",") {
			n, err := strconv.Atoi(strings.TrimSpace(cluster))
			if err != nil || n < 1 || n > wire.MaxChildren {
				return nil, wire.Errorf(wire.CodeBadMessage, "--sizes: %q: want a number of seats, 1 to %d", wire.Clean(cluster), wire.MaxChildren)
			}
			clusters = append(clusters, n)
		}
		sizes = append(sizes, clusters)
	}
	return sizes, nil
}

// agentdCommand is listed here for help and completion; main hands its arguments
// to agentd itself, so that they are the same as mesh-agentd's.
func agentdCommand() *cobra.Command {
	return &cobra.Command{
		Use: "agentd", Short: "make any program an agent: agentd run --class E -- ./my-program",
		DisableFlagParsing: true, RunE: func(*cobra.Command, []string) error {
			return wire.Errorf(wire.CodeBadMessage, "agentd has flags of its own: nothing may stand before it").WithHint("mesh30k agentd help")
		},
	}
}

// Bench measures something and returns figures by name; units are in the names.
type Bench struct {
	Short string
	Run   func(cmd *cobra.Command, o BenchOptions) (map[string]float64, error)
}

// BenchOptions are the flags of every bench.
type BenchOptions struct {
	Agents int
	Kill   bool
	For    time.Duration
}

func benchCommand(p Programs) *cobra.Command {
	all := &cobra.Command{Use: "bench", Short: "measure this program on this machine", Args: unknownCommand, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	for _, name := range slices.Sorted(maps.Keys(p.Bench)) {
		b := p.Bench[name]
		var o BenchOptions
		c := &cobra.Command{Use: name, Short: b.Short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			figures, err := b.Run(cmd, o)
			if err != nil {
				return err
			}
			return sayFigures(cmd, name, figures)
		}}
		f := c.Flags()
		switch name {
		case "freeze":
			f.BoolVar(&o.Kill, "kill", true, "kill core and fleet with -9 while all is frozen")
			f.IntVar(&o.Agents, "agents", 30_000, "how many agents")
		case "bus":
			f.IntVar(&o.Agents, "agents", 30_000, "how many agents")
		case "soak":
			f.IntVar(&o.Agents, "agents", 30_000, "how many agents")
			f.DurationVar(&o.For, "for", 15*time.Minute, "how long")
		}
		all.AddCommand(c)
	}
	return all
}

// sayFigures prints a bench: ratios, whose names have _to_ or _over_, apart from
// figures.
func sayFigures(cmd *cobra.Command, name string, all map[string]float64) error {
	figures, ratios := map[string]float64{}, map[string]float64{}
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(all)) {
		into := figures
		if strings.Contains(key, "_to_") || strings.Contains(key, "_over_") {
			into = ratios
		}
		into[key] = all[key]
		fmt.Fprintf(&text, "%-28s %14s\n", key, figure(all[key]))
	}
	return Say(cmd, wire.Done, map[string]any{"bench": name, "env": environment(), "figures": figures, "ratios": ratios}, text.String())
}

func figure(v float64) string {
	if v == float64(int64(v)) {
		return strconv.FormatInt(int64(v), 10)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

func infoCommand(p Programs) *cobra.Command {
	return &cobra.Command{
		Use: "info", Short: "every path and setting, and where it came from", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := p.Info(cmd)
			if err != nil {
				return err
			}
			return Info(cmd, settings)
		},
	}
}

func doctorCommand(p Programs) *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "look for what is wrong on this machine, and say what to do", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			checks, err := p.Doctor(cmd)
			if err != nil {
				return err
			}
			return Doctor(cmd, checks)
		},
	}
}
