package client

import (
	"context"

	"github.com/go-json-experiment/json"

	"mesh30k/console"
	"mesh30k/meshcore/wire"
)

// Replica asks for the topology and every cluster's registry block. A console
// begins to Watch before it asks, and keeps of each cluster what is
// [console.Newer].
func (c *Client) Replica(ctx context.Context) (*wire.Topology, []*wire.Block, wire.Outcome) {
	var blocks []*wire.Block
	out := c.ask(ctx, wire.Do{Step: wire.StepReplica}, answers{block: func(b *wire.Block) { blocks = append(blocks, b) }})
	if out.Verdict != wire.Done {
		return nil, nil, out
	}
	var data struct {
		Topology *wire.Topology `json:"topology"`
	}
	if err := json.Unmarshal(out.Data, &data); err != nil || data.Topology == nil {
		return nil, nil, failed("", wire.Internal, wire.Errorf(wire.CodeVersion, "the core's answer has no topology").
			WithHint("core and console may be of different versions: see doctor"))
	}
	if err := data.Topology.Check(); err != nil {
		return nil, nil, *broken(err)
	}
	return data.Topology, blocks, out
}

// Names asks for the names of places and hosts, for completion.
func (c *Client) Names(ctx context.Context) (console.Names, wire.Outcome) {
	var n console.Names
	for _, class := range wire.Classes {
		n.Capabilities = append(n.Capabilities, class.Capabilities()...)
	}
	for _, q := range []struct {
		what string
		into *[]string
	}{{"sectors", &n.Sectors}, {"clusters", &n.Clusters}, {"hosts", &n.Hosts}} {
		a := console.List{What: q.what, Sort: "address", Limit: 2000}
		out := c.Read(ctx, a, Handlers{})
		if out.Verdict == wire.NothingMatched {
			continue
		}
		if out.Verdict != wire.Done {
			return n, out
		}
		var data struct {
			Rows []struct {
				Place string `json:"place"`
				Name  string `json:"name"`
			} `json:"rows"`
		}
		if err := json.Unmarshal(out.Data, &data); err != nil {
			return n, *broken(err)
		}
		for _, r := range data.Rows {
			for _, s := range []string{r.Place, r.Name} {
				if s != "" {
					*q.into = append(*q.into, s)
				}
			}
		}
	}
	return n, failed("list", wire.Done, &wire.Error{})
}
