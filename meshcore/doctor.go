package meshcore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"mesh30k/meshcore/wire"
)

// Finding is one thing that [Examine] looked at.
type Finding struct {
	Name  string
	OK    bool
	Found string
	Do    string // what to do about it, unless OK
}

// What a core of 30,000 agents needs of a machine.
const (
	neededFDs  = 4096
	neededDisk = 3 << 30 // bytes: the facts' default budget and the projection
	oldestYear = 2024    // a clock before the specification was written is wrong
)

// Examine looks for what would keep a core from running here, or running well.
func Examine(ctx context.Context, root string) []Finding {
	findings := []Finding{examineFDs(), examineLoopback(ctx), examineClock(time.Now()), examineDisk(root), examineVersions()}
	return append(findings, examineMeshes(root)...)
}

func examineFDs() Finding {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return Finding{Name: "file descriptors", Found: err.Error(), Do: "find out why the limit cannot be read"}
	}
	return Finding{
		Name: "file descriptors", OK: limit.Cur >= neededFDs, Found: fmt.Sprintf("%d a process", limit.Cur),
		Do: fmt.Sprintf("raise the limit to %d or more: ulimit -n %d, or LimitNOFILE= in the unit", neededFDs, neededFDs),
	}
}

func examineLoopback(ctx context.Context) Finding {
	f := Finding{Name: "loopback", Do: "the core listens on 127.0.0.1: bring the loopback interface up"}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		f.Found = err.Error()
		return f
	}
	f.Found = "a port can be taken on " + l.Addr().(*net.TCPAddr).IP.String()
	f.OK = l.Close() == nil
	return f
}

func examineClock(now time.Time) Finding {
	return Finding{
		Name: "clock", OK: now.Year() >= oldestYear, Found: now.UTC().Format(time.RFC3339),
		Do: "set the clock (NTP): facts carry this time, and credentials end by it",
	}
}

func examineDisk(root string) Finding {
	f := Finding{Name: "disk", Do: "free some space, or choose another folder with --data, or a smaller budget with core --max-store"}
	dir := root
	for {
		var s syscall.Statfs_t
		err := syscall.Statfs(dir, &s)
		if err == nil {
			free := int64(s.Bavail) * int64(s.Bsize) //nolint:unconvert // differs between systems
			f.Found = fmt.Sprintf("%d GiB free in %s", free>>30, dir)
			f.OK = free >= neededDisk && syscall.Access(dir, 2) == nil
			if syscall.Access(dir, 2) != nil {
				f.Found += ", which cannot be written"
			}
			return f
		}
		if !os.IsNotExist(err) || filepath.Dir(dir) == dir {
			f.Found = err.Error()
			return f
		}
		dir = filepath.Dir(dir)
	}
}

func examineVersions() Finding {
	return Finding{Name: "versions", OK: true, Found: fmt.Sprintf("protocol %s, %s %s/%s", wire.Current, runtime.Version(), runtime.GOOS, runtime.GOARCH)}
}

// examineMeshes looks at each mesh's directory.
func examineMeshes(root string) []Finding {
	names, err := ListHomes(root)
	if err != nil {
		return []Finding{{Name: "meshes", Found: err.Error(), Do: "make " + root + " readable"}}
	}
	if len(names) == 0 {
		return []Finding{{Name: "meshes", OK: true, Found: "none here yet: mesh30k demo shows one, mesh30k init NAME makes one"}}
	}
	var findings []Finding
	for _, name := range names {
		findings = append(findings, examineMesh(root, name))
	}
	return findings
}

func examineMesh(root, name string) Finding {
	f := Finding{Name: "mesh " + name, OK: true}
	home, err := OpenHome(root, name)
	if err == nil && home.Remote != nil {
		return examineRemote(home, time.Now())
	}
	if err == nil {
		_, err = home.Keyring()
	}
	if err != nil {
		f.OK, f.Found, f.Do = false, err.Error(), "restore the folder from a backup, or remove it"
		return f
	}
	f.Found = fmt.Sprintf("%d sectors, %d seats; no core runs", len(home.Topology.Sectors), home.Topology.Seats())
	if info, ok := home.Core(); ok {
		f.Found = fmt.Sprintf("%d sectors, %d seats; core at %s, process %d", len(home.Topology.Sectors), home.Topology.Seats(), info.URL, info.PID)
	}
	return f
}

// examineRemote looks at the credentials that are here for a mesh elsewhere.
func examineRemote(home *Home, now time.Time) Finding {
	f := Finding{Name: "mesh " + home.Mesh(), OK: true, Found: fmt.Sprintf("mesh %s at %s", home.Remote.Mesh, home.Remote.URL)}
	names, err := home.People()
	if err == nil && len(names) == 0 {
		err = errors.New("there are no credentials")
	}
	for _, name := range names {
		who, bad := home.Person(name)
		if bad == nil {
			bad = stillValid(who, now)
		}
		err = errors.Join(err, bad)
		f.Found += fmt.Sprintf("; %s (%s) until %s", name, who.Role(), who.Expires().UTC().Format(time.DateOnly))
	}
	if err != nil {
		f.OK, f.Found, f.Do = false, err.Error(), "ask an operator for a token and join again: mesh30k connect TOKEN"
	}
	return f
}
