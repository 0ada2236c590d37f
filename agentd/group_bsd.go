//go:build unix && !linux

package agentd

import "syscall"

// ownGroup lets a command lead a process group.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
