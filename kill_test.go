package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A core that is killed in the middle of a broadcast takes it up again: it ends
// with a verdict, and every agent has worked it once.
func TestACoreIsKilledInTheMiddleOfABroadcast(t *testing.T) {
	t.Parallel()
	h := buildHouse(t, "3")
	core := h.core()
	seen, gate := filepath.Join(h.dir, "seen"), filepath.Join(h.dir, "gate")
	script := fmt.Sprintf("cat >/dev/null; echo begun >> %s; until [ -e %s ]; do sleep 0.05; done; echo ended >> %s", seen, gate, seen)
	h.agents("pi", "3", "sh", "-c", script)

	asked := h.start("mesh30k", "broadcast", "hold this", "--ttl", "2m", "--require-ack", "--yes")
	counts := func(word string) int {
		text, _ := os.ReadFile(seen) // missing: nobody has begun
		return strings.Count(string(text), word)
	}
	h.eventually(func() bool { return counts("begun") == 3 }, func() string { return "nobody works" })
	core.kill()
	asked.wait()
	if asked.err == nil {
		t.Errorf("the one who asked was told that all is well: %q", asked.said())
	}

	h.core()
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.until("operation.end .*ended done: 3 WORKED", "history")
	if begun, ended := counts("begun"), counts("ended"); begun != 3 || ended != 3 {
		t.Errorf("begun %d times, ended %d times; want 3 and 3", begun, ended)
	}
}

// However a demo ends, its children end with it.
func TestADemoThatIsKilledLeavesNobodyBehind(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("children are found in /proc, which is not here")
	}
	h := buildHouse(t, "3")
	demo := h.start("mesh30k", "demo", "--headless", "--agents", "60", "--for", "10m")
	var children []int
	h.eventually(func() bool {
		children = childrenOf(demo.cmd.Process.Pid)
		return len(children) == 2
	}, func() string { return "core and fleet do not start" })
	h.until("Agents: 60 / 60", "status", "--mesh", "demo")
	demo.kill()
	h.eventually(func() bool {
		for _, pid := range children {
			if syscall.Kill(pid, 0) == nil && !zombie(pid) {
				return false
			}
		}
		return true
	}, func() string { return fmt.Sprintf("of %v some still run", children) })
}

func childrenOf(pid int) (list []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		if fields := stat(file); len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(file))) // the pattern is of digits
			list = append(list, child)
		}
	}
	return list
}

// zombie reports whether a process has ended and waits for its parent.
func zombie(pid int) bool {
	fields := stat(fmt.Sprintf("/proc/%d/stat", pid))
	return len(fields) == 0 || fields[0] == "Z"
}

// stat is the state of a process and what follows it; none if it has gone.
func stat(file string) []string {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	return strings.Fields(string(text)[strings.LastIndexByte(string(text), ')')+1:])
}

// With a disk that is full the core says so, and what it acknowledged is there
// when there is room again.
func TestTheDiskIsFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("a small disk is mounted for this test: only root may")
	}
	h := buildHouse(t, "3")
	small := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", small).CombinedOutput(); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", small).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	h.env = append(h.env, "MESH30K_DATA="+small)
	h.does("init", "t", "--sectors", "1", "--clusters", "1", "--agents", "3")
	core := h.core()
	h.does("invite", "--yes", "--class", "D")
	before := h.until("token.issued", "history", "--kind", "token.issued")
	fill := filepath.Join(small, "fill")
	f, err := os.Create(fill)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 64<<10))
	}
	f.Close() // it could not be filled up, which is what was wanted
	if _, errs, code := h.says("invite", "--yes"); code != 6 || !strings.Contains(errs, "disk is full") {
		t.Errorf("exit %d: %s; want 6, and why", code, errs)
	}
	core.stop()
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	h.core()
	after := h.until("token.issued", "history", "--kind", "token.issued")
	token := regexp.MustCompile(`token t\w+`)
	if b, a := token.FindAllString(before, -1), token.FindAllString(after, -1); !slices.Equal(b, a) {
		t.Errorf("before the disk was full: %v, afterwards: %v", b, a)
	}
	h.does("invite", "--yes")
}
