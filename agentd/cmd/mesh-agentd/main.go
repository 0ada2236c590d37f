// Command mesh-agentd hosts agents of a mesh: `mesh30k agentd` without the rest
// of mesh30k, for hosts where the whole program is too much. It needs no C
// library and runs on linux/arm (armv6) too.
package main

import (
	"os"

	"mesh30k/agentd"
)

func main() { os.Exit(agentd.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
