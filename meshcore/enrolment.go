package meshcore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/registry"
	"mesh30k/meshcore/wire"
)

// Lifetimes of what the core signs.
const (
	hostJWTLife   = 30 * 24 * time.Hour // security: rotation every 30 days
	personJWTLife = 30 * 24 * time.Hour
	joinTimeout   = 30 * time.Second
	inviteMaxTTL  = 30 * 24 * time.Hour
)

// enrolment is who belongs to the mesh: hosts with their keys, agents with
// their seats, tokens and people. All of it is in facts; here it is at hand.
type enrolment struct {
	mu      sync.Mutex
	seating *registry.Seating
	agents  map[wire.Address][]wire.Enrolled // by cluster
	hosts   map[string]string                // name → public key
	tokens  map[string]wire.Token
	used    map[string]int
	joins   map[string]wire.Joined // answers by token and host, for a repeated JOIN
	people  map[string]wire.Person
}

func (e *enrolment) restore(topo *wire.Topology, m Memory) error {
	e.seating = registry.NewSeating(topo)
	e.agents = map[wire.Address][]wire.Enrolled{}
	e.hosts = map[string]string{}
	e.tokens = map[string]wire.Token{}
	e.used = map[string]int{}
	e.joins = map[string]wire.Joined{}
	e.people = map[string]wire.Person{}
	for _, h := range m.Hosts {
		if err := e.seating.Restore(h.Agents); err != nil {
			return err
		}
		e.take(h.Key, h.Agents)
	}
	for _, t := range m.Tokens {
		e.tokens[t.ID] = t
	}
	maps.Copy(e.used, m.TokensUsed)
	for _, p := range m.People {
		e.people[p.Name] = p
	}
	return nil
}

// take notes agents that have a seat.
func (e *enrolment) take(key string, agents []wire.Enrolled) {
	for _, a := range agents {
		c := a.Address.InCluster()
		e.agents[c] = append(e.agents[c], a)
		e.hosts[a.Host] = key
	}
}

func (e *enrolment) role(name string) (wire.Role, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p, ok := e.people[name]
	return p.Role, ok
}

func (e *enrolment) hasHost(name string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.hosts[name] != ""
}

// ofSector are the agents of a sector, cluster by cluster.
func (e *enrolment) ofSector(sector int) [][]wire.Enrolled {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all [][]wire.Enrolled
	for cluster, agents := range e.agents {
		if cluster.Sector == sector {
			all = append(all, slices.Clone(agents))
		}
	}
	return all
}

// serveJoins answers JOINs one after the other until ctx ends.
func (c *Core) serveJoins(ctx context.Context, joins <-chan *nats.Msg) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-joins:
			if !repliesTo(m, tokenOf(m)) {
				continue
			}
			answer := c.join(ctx, m)
			if err := m.Respond(wire.Encode(answer)); err != nil {
				c.log.Warn("JOIN not answered", "err", err)
			}
		}
	}
}

// join lets a host or person in, or says why not.
func (c *Core) join(ctx context.Context, m *nats.Msg) wire.Message {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	token := tokenOf(m)
	if kind, _ := wire.PeekType(m.Data); kind == wire.TypePersonJoin {
		return c.joinPerson(ctx, token, m.Data)
	}
	return c.joinHost(ctx, token, m.Data)
}

// joinHost gives a host its places.
func (c *Core) joinHost(ctx context.Context, token string, data []byte) wire.Message {
	var j wire.Join
	if err := wire.Decode(data, wire.TypeJoin, &j); err != nil {
		return wire.Errorf(wire.CodeBadMessage, "%v", err)
	}
	if j.Mesh != c.opt.Topology.Mesh {
		return wire.Errorf(wire.CodeOtherMesh, "host %s wants to join mesh %s, this is %s", j.Host, j.Mesh, c.opt.Topology.Mesh)
	}
	joined, agents, refusal := c.enrolment.admit(token, &j, time.Now())
	if refusal != nil {
		return refusal
	}
	if joined != nil {
		return joined // said before; the answer was lost
	}
	return c.enrol(ctx, token, &j, agents)
}

// admit checks token and host and gives seats, in memory: c.enrol makes it
// durable, or takes it back.
func (e *enrolment) admit(token string, j *wire.Join, now time.Time) (*wire.Joined, []wire.Enrolled, *wire.Error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if said, ok := e.joins[token+" "+j.Host]; ok && e.hosts[j.Host] == j.Key {
		return &said, nil, nil
	}
	t, refusal := e.issued(token, now)
	switch {
	case refusal != nil:
		return nil, nil, refusal
	case t.What != "host":
		return nil, nil, wire.Errorf(wire.CodeForbidden, "token %s invites an %s, not a host", token, t.What).
			WithHint("it goes with mesh30k connect; a host needs one of: mesh30k invite host")
	case e.spent(t):
		return nil, nil, wire.Errorf(wire.CodeTokenUsed, "token %s has been used", token).
			WithHint("each host needs its own: mesh30k invite host")
	}
	if _, person := e.people[j.Host]; person || j.Host == auth.CoreName {
		// Both would be answered under one inbox prefix.
		return nil, nil, wire.Errorf(wire.CodeDuplicate, "%s is the name of a person or of the core", j.Host).
			WithHint("choose another name with --host")
	}
	if key, taken := e.hosts[j.Host]; taken && key != j.Key {
		return nil, nil, wire.Errorf(wire.CodeDuplicate, "a host named %s with another key is enrolled", j.Host).
			WithHint("choose another name with --host")
	}
	agents, err := e.seating.Take(j)
	if err != nil {
		return nil, nil, asError(err)
	}
	e.used[token]++
	return nil, agents, nil
}

// asError makes a *wire.Error of err, which it may be already.
func asError(err error) *wire.Error {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e
	}
	return wire.Errorf(wire.CodeInternal, "%v", err)
}

// enrol makes the seats durable, tells the shards, and signs the grants.
func (c *Core) enrol(ctx context.Context, token string, j *wire.Join, agents []wire.Enrolled) wire.Message {
	byCluster := map[wire.Address][]wire.Enrolled{}
	for _, a := range agents {
		byCluster[a.Address.InCluster()] = append(byCluster[a.Address.InCluster()], a)
	}
	clusters := slices.SortedFunc(maps.Keys(byCluster), wire.Address.Compare)
	now := time.Now()
	var facts []wire.Fact
	for _, cluster := range clusters {
		facts = append(facts, wire.Fact{
			At: now, Kind: wire.FactHostJoined, Actor: "core", Address: cluster, Host: j.Host,
			Text: fmt.Sprintf("host %s brought %d agents to %s", j.Host, len(byCluster[cluster]), cluster),
			Data: encodeData(wire.HostJoined{Token: token, Key: j.Key, Agents: byCluster[cluster]}),
		})
	}
	if _, err := c.opt.Facts.Append(ctx, facts...); err != nil {
		c.enrolment.giveBack(token, agents)
		return wire.Errorf(wire.CodeInternal, "host %s could not be enrolled: %v", j.Host, err).WithHint("the token can be used again")
	}
	joined := wire.Joined{Header: wire.Head(wire.TypeJoined), Mesh: j.Mesh, Host: j.Host}
	sectors := map[int][]wire.Address{}
	for _, cluster := range clusters {
		sectors[cluster.Sector] = append(sectors[cluster.Sector], cluster)
		list := byCluster[cluster]
		if err := c.orderAndWait(ctx, cluster.Sector, &wire.ShardOrder{Enrol: &list}); err != nil {
			// The facts stand: the shard is told again when it starts.
			c.log.Error("shard has not taken on newcomers", "cluster", cluster, "err", err)
		}
	}
	c.enrolment.mu.Lock()
	defer c.enrolment.mu.Unlock()
	c.enrolment.take(j.Key, agents)
	for _, sector := range slices.Sorted(maps.Keys(sectors)) {
		grant, err := c.grant(sector, j, c.enrolment.clustersOf(j.Host, sector))
		if err != nil {
			return wire.Errorf(wire.CodeInternal, "signing for host %s: %v", j.Host, err)
		}
		joined.Grants = append(joined.Grants, grant)
	}
	c.enrolment.joins[token+" "+j.Host] = joined
	return &joined
}

func (e *enrolment) giveBack(token string, agents []wire.Enrolled) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.used[token]--
	e.seating.GiveBack(agents)
}

// clustersOf are the clusters of a sector in which a host has agents.
func (e *enrolment) clustersOf(host string, sector int) []wire.Address {
	var clusters []wire.Address
	for cluster, agents := range e.agents {
		if cluster.Sector == sector && slices.ContainsFunc(agents, func(a wire.Enrolled) bool { return a.Host == host }) {
			clusters = append(clusters, cluster)
		}
	}
	slices.SortFunc(clusters, wire.Address.Compare)
	return clusters
}

// grant signs a host's identity in one sector.
func (c *Core) grant(sector int, j *wire.Join, clusters []wire.Address) (wire.Grant, error) {
	names := make([]string, len(clusters))
	for i, cluster := range clusters {
		names[i] = cluster.String()
	}
	jwt, err := c.opt.Keyring.HostJWT(sector, j.Host, j.Key, names, hostJWTLife)
	if err != nil {
		return wire.Grant{}, err
	}
	return wire.Grant{Sector: sector, Clusters: clusters, JWT: jwt, Expires: time.Now().Add(hostJWTLife).UTC()}, nil
}
