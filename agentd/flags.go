package agentd

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"mesh30k/meshcore/wire"
)

// environment is the prefix of the environment's spelling of a flag.
const environment = "MESH30K_AGENTD_"

// flags are those of `agentd run`.
type flags struct {
	join, mesh, host, state, url, class string
	count                               int
	capabilities                        []string
	labels                              map[string]string
	lines, sync                         bool
	drain                               time.Duration
	level                               slog.Level
	program                             []string
}

// parseFlags reads the command line, and the environment where the command line
// says nothing.
func parseFlags(args []string, stdin io.Reader, stdout, stderr io.Writer) (*flags, error) {
	f := &flags{labels: map[string]string{}}
	set := f.set()
	set.SetOutput(stderr)
	help := func(w io.Writer) {
		set.SetOutput(w)
		fmt.Fprintf(w, usage, commandName())
		set.PrintDefaults()
	}
	if len(args) == 0 {
		help(stderr)
		return nil, usagef("no command: want run")
	}
	switch args[0] {
	case "run":
	case "help", "-h", "-help", "--help":
		help(stdout)
		return nil, errHelp
	default:
		return nil, usagef("unknown command %q: want run", wire.Clean(args[0]))
	}
	set.Usage = func() {}
	if err := fromEnvironment(set); err != nil {
		return nil, err
	}
	if err := set.Parse(args[1:]); errors.Is(err, flag.ErrHelp) {
		help(stdout)
		return nil, errHelp
	} else if err != nil {
		return nil, usageError{err}
	}
	f.program = set.Args()
	return f, f.check(stdin)
}

// commandName is how this program is called: it is one of its own, or part of
// mesh30k.
func commandName() string {
	name := filepath.Base(os.Args[0])
	if name != "mesh-agentd" {
		name += " agentd"
	}
	return name
}

// set describes the flags.
func (f *flags) set() *flag.FlagSet {
	set := flag.NewFlagSet("run", flag.ContinueOnError)
	set.StringVar(&f.join, "join", "", "join `token` for the first start; - reads it from stdin")
	set.StringVar(&f.mesh, "mesh", "", "`name` of the mesh; needed only if this machine has joined several")
	set.StringVar(&f.host, "host", "", "`name` of this host (default: the machine's)")
	set.StringVar(&f.class, "class", "E", "impedance `class` of the agents, to join with: A edge worker, B serverless, C persistent, D GPU, E local hardware, F human")
	set.IntVar(&f.count, "count", 1, "`number` of agents to join with")
	set.Func("capability", "what the agents can do, to join with; may be repeated (default: the class's)", func(s string) error {
		f.capabilities = append(f.capabilities, s)
		return wire.CheckCapability(s)
	})
	set.Func("label", "`key=value` of this host, to join with; may be repeated", func(s string) error {
		k, v, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("want key=value")
		}
		f.labels[k] = v
		return wire.CheckName("label", k)
	})
	set.BoolVar(&f.lines, "lines", false, "keep one process for each agent: a JSON line a message, a line an answer")
	set.StringVar(&f.url, "url", "", "`URL` of the broker, in place of the token's")
	set.StringVar(&f.state, "state", "", "`folder` of identity and journal (default $XDG_STATE_HOME/mesh30k/agentd)")
	set.DurationVar(&f.drain, "drain-timeout", 30*time.Second, "how long work in hand may take to end at SIGTERM")
	set.BoolVar(&f.sync, "journal-sync", false, "let the journal survive a loss of power too, not only of the process")
	set.TextVar(&f.level, "log-level", slog.LevelInfo, "least `level` that is logged to stderr: debug, info, warn or error")
	return set
}

// fromEnvironment gives flags the environment's values.
func fromEnvironment(set *flag.FlagSet) (err error) {
	set.VisitAll(func(x *flag.Flag) {
		name := environment + strings.ToUpper(strings.ReplaceAll(x.Name, "-", "_"))
		v, ok := os.LookupEnv(name)
		if !ok || err != nil {
			return
		}
		if e := set.Set(x.Name, v); e != nil {
			err = usagef("%s=%q: %w", name, wire.Clean(v), e)
		}
	})
	return err
}

// check returns an error unless the flags make sense together.
func (f *flags) check(stdin io.Reader) error {
	if err := findProgram(f.program); err != nil {
		return err
	}
	if f.count < 1 || f.count > wire.MaxAgentsPerHost {
		return usagef("--count %d: want 1 to %d", f.count, wire.MaxAgentsPerHost)
	}
	if f.drain <= 0 {
		return usagef("--drain-timeout %s: want more than 0", f.drain)
	}
	for kind, name := range map[string]string{"mesh": f.mesh, "host": f.host} {
		if name != "" {
			if err := wire.CheckName(kind, name); err != nil {
				return usageError{err}
			}
		}
	}
	if f.join == "-" {
		token, err := io.ReadAll(io.LimitReader(stdin, 64<<10))
		if err != nil {
			return fmt.Errorf("join token: %w", err)
		}
		f.join = string(token)
	}
	if f.state == "" {
		var err error
		f.state, err = StateDir()
		return err
	}
	return nil
}

// identity is who this host is: as it joined before, or as it joins now. The
// folder that comes with it is that of its state.
func (f *flags) identity(ctx context.Context, log *slog.Logger) (*Identity, string, error) {
	if f.join == "" {
		id, dir, err := findIdentity(f.state, f.mesh, f.host)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, "", usagef("this host has not joined a mesh (nothing in %s): start it once with --join TOKEN; `mesh30k invite host` makes one", f.state)
		case err != nil:
			return nil, "", usageError{err}
		}
		return id, dir, stillValid(id)
	}
	mesh, err := TokenMesh(f.join)
	if err != nil {
		return nil, "", err
	}
	if f.mesh != "" && f.mesh != mesh {
		return nil, "", usagef("the token is of mesh %s, not of %s", mesh, f.mesh)
	}
	if f.host == "" {
		f.host = hostName()
	}
	dir := filepath.Join(f.state, mesh, f.host)
	if id, err := LoadIdentity(dir); err == nil && stillValid(id) == nil {
		log.Info("this host has joined before; the token is not needed and was not used", "host", id.Host, "mesh", id.Mesh)
		return id, dir, nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, "", err
	}
	class, err := wire.ParseClass(f.class)
	if err != nil {
		return nil, "", usagef("--class: %w", err)
	}
	id, err := Enlist(ctx, f.join, f.url, dir, wire.Join{
		Host: f.host, Labels: f.labels,
		Agents: []wire.AgentSpec{{Class: class, Count: f.count, Capabilities: f.capabilities}},
	})
	return id, dir, err
}

// stillValid returns an error if the identity has expired.
func stillValid(id *Identity) error {
	if e := id.Expires(); !e.IsZero() && time.Now().After(e) {
		return usagef("host %s's place in mesh %s expired on %s: start it with a new --join TOKEN", id.Host, id.Mesh, e.Format(time.DateOnly))
	}
	return nil
}

// hostName is the machine's name as the mesh spells names.
func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		name = "host"
	}
	return cleanHostName(name)
}

func cleanHostName(name string) string {
	name, _, _ = strings.Cut(strings.ToLower(name), ".")
	name = strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, name), "-")
	if name == "" || name[0] < 'a' {
		name = strings.Trim("host-"+name, "-")
	}
	return name[:min(len(name), wire.MaxName)]
}

// version is the program's name and version, for the operator.
func (f *flags) version() string {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	return fmt.Sprintf("agentd %s, protocol %s, %s", version, wire.Current, wire.Clean(filepath.Base(f.program[0])))
}
