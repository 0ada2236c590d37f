//go:build unix

package agentd

import (
	"os/exec"
	"syscall"
)

// killGroup kills a command and all that it started and left in its group.
func killGroup(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // gone already: good
	}
}
