package agentd

import "syscall"

// ownGroup lets a command lead a process group, and die with agentd.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
