package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"mesh30k/meshcore/wire"
)

// ConnectOptions are the arguments of connect.
type ConnectOptions struct {
	Token string
	Name  string // of the mesh on this machine; empty: its own
	URL   string // of the broker; empty: the token's
}

// Connected is what connect made: a mesh that runs elsewhere, and who acts on it
// from here.
type Connected struct {
	Mesh    string    `json:"mesh"`
	Name    string    `json:"name"` // on this machine
	Dir     string    `json:"dir"`
	URL     string    `json:"url"`
	Person  string    `json:"person"`
	Role    string    `json:"role"`
	Expires time.Time `json:"expires"`
}

func connectCommand(p Programs) *cobra.Command {
	var o ConnectOptions
	c := &cobra.Command{
		Use: "connect TOKEN", Short: "join a mesh as the person who was invited", Args: cobra.ExactArgs(1),
		Long: `Joins a mesh that runs elsewhere with a token that one of its operators made
(mesh30k invite operator, mesh30k invite observer), and keeps the credentials
in the folder of the meshes. --as says who you want to be, else it is the name
that you have on this system. From then on --mesh NAME means that mesh.

The credentials end after 30 days. Before, connect with another token: under the
same name you keep your key.`,
		Example: "  mesh30k connect mesh30k1.eyJ2… --as olga\n  mesh30k connect mesh30k1.eyJ2… --url nats://127.0.0.1:4333    # through a tunnel",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Token = args[0]
			is, err := p.Connect(cmd, o)
			if err != nil {
				return err
			}
			return Say(cmd, wire.Done, is, fmt.Sprintf(`mesh %[1]s at %[2]s: you are %[3]s, %[4]s, until %[5]s; kept in %[6]s

  mesh30k --mesh %[7]s           is its console
  mesh30k --mesh %[7]s status    asks it
`, is.Mesh, is.URL, is.Person, is.Role, is.Expires.Format(time.DateOnly), is.Dir, is.Name))
		},
	}
	f := c.Flags()
	f.StringVar(&o.Name, "name", "", "what the mesh is called on this machine (default its own `NAME`)")
	f.StringVar(&o.URL, "url", "", "`URL` of the broker, in place of the token's")
	return c
}
