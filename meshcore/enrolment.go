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
	used    map[string][]string // by token id: who has joined with it, each a use
	people  map[string]wire.Person
	coming  map[string]bool // people whose fact is being written: their names are taken
}

func (e *enrolment) restore(topo *wire.Topology, m Memory) error {
	e.seating = registry.NewSeating(topo)
	e.agents = map[wire.Address][]wire.Enrolled{}
	e.hosts = map[string]string{}
	e.tokens = map[string]wire.Token{}
	e.used = map[string][]string{}
	e.people = map[string]wire.Person{}
	e.coming = map[string]bool{}
	for _, h := range m.Hosts {
		if err := e.seating.Restore(h.Agents); err != nil {
			return err
		}
		e.take(h.Key, h.Agents)
	}
	for _, t := range m.Tokens {
		e.tokens[t.ID] = t
	}
	for token, names := range m.TokensUsed {
		e.used[token] = slices.Clone(names)
	}
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

// reserve takes a name for a person until release; false: a host has it.
func (e *enrolment) reserve(name string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.hosts[name] != "" {
		return false
	}
	e.coming[name] = true
	return true
}

// release ends what reserve began; a person whose fact is durable is known.
func (e *enrolment) release(p wire.Person, durable bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.coming, p.Name)
	if durable {
		e.people[p.Name] = p
	}
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
	agents, refusal := c.enrolment.admit(token, &j, time.Now())
	if refusal != nil {
		return refusal
	}
	if len(agents) > 0 {
		if err := c.enrol(ctx, token, &j, agents); err != nil {
			return err
		}
	}
	return c.joined(&j)
}

// admit checks token and host and gives seats, in memory: c.enrol makes it
// durable, or takes it back. A host that has joined with this token under this
// key gets none: it asks again because the answer was lost, perhaps by an
// earlier core.
func (e *enrolment) admit(token string, j *wire.Join, now time.Time) ([]wire.Enrolled, *wire.Error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if slices.Contains(e.used[token], j.Host) && e.hosts[j.Host] == j.Key {
		return nil, nil
	}
	t, refusal := e.issued(token, now)
	switch {
	case refusal != nil:
		return nil, refusal
	case t.What != "host":
		return nil, wire.Errorf(wire.CodeForbidden, "token %s invites an %s, not a host", token, t.What).
			WithHint("it goes with mesh30k connect; a host needs one of: mesh30k invite host")
	case e.spent(t):
		return nil, wire.Errorf(wire.CodeTokenUsed, "token %s has been used", token).
			WithHint("each host needs its own: mesh30k invite host")
	}
	if _, person := e.people[j.Host]; person || e.coming[j.Host] || j.Host == auth.CoreName {
		// Both would be answered under one inbox prefix.
		return nil, wire.Errorf(wire.CodeDuplicate, "%s is the name of a person or of the core", j.Host).
			WithHint("choose another name with --host")
	}
	if key, taken := e.hosts[j.Host]; taken && key != j.Key {
		return nil, wire.Errorf(wire.CodeDuplicate, "a host named %s with another key is enrolled", j.Host).
			WithHint("choose another name with --host")
	}
	agents, err := e.seating.Take(j)
	if err != nil {
		return nil, asError(err)
	}
	e.used[token] = append(e.used[token], j.Host)
	return agents, nil
}

// asError makes a *wire.Error of err, which it may be already.
func asError(err error) *wire.Error {
	if e, ok := errors.AsType[*wire.Error](err); ok {
		return e
	}
	return wire.Errorf(wire.CodeInternal, "%v", err)
}

// enrol makes the seats durable and tells the shards.
func (c *Core) enrol(ctx context.Context, token string, j *wire.Join, agents []wire.Enrolled) *wire.Error {
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
	if _, err := c.opt.Facts.Append(ctx, facts...); errors.Is(err, ErrUncertain) {
		// The seats may be taken, for ever: they are given to nobody else.
		return wire.Errorf(wire.CodeInternal, "it is not known whether host %s is enrolled: %v", j.Host, err).
			WithHint("try again when the core has been started again: it reads then what became durable")
	} else if err != nil {
		c.enrolment.giveBack(token, j.Host, agents)
		return wire.Errorf(wire.CodeInternal, "host %s could not be enrolled: %v", j.Host, err).WithHint("the token can be used again")
	}
	c.enrolment.mu.Lock()
	c.enrolment.take(j.Key, agents) // first: a shard that starts now is told of them
	c.enrolment.mu.Unlock()
	for _, cluster := range clusters {
		list := byCluster[cluster]
		if err := c.orderAndWait(ctx, cluster.Sector, &wire.ShardOrder{Enrol: &list}); err != nil {
			// The facts stand, and the order goes on until the shard has taken it on.
			c.log.Error("a shard has not taken on newcomers yet", "cluster", cluster, "err", err)
		}
	}
	return nil
}

// joined grants a host all that it has in the mesh.
func (c *Core) joined(j *wire.Join) wire.Message {
	joined := wire.Joined{Header: wire.Head(wire.TypeJoined), Mesh: j.Mesh, Host: j.Host}
	places := c.enrolment.placesOf(j.Host)
	for _, sector := range slices.Sorted(maps.Keys(places)) {
		grant, err := c.grant(sector, j, places[sector])
		if err != nil {
			return wire.Errorf(wire.CodeInternal, "signing for host %s: %v", j.Host, err)
		}
		joined.Grants = append(joined.Grants, grant)
	}
	return &joined
}

// giveBack undoes admit, for who could not be enrolled.
func (e *enrolment) giveBack(token, name string, agents []wire.Enrolled) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if i := slices.Index(e.used[token], name); i >= 0 {
		e.used[token] = slices.Delete(e.used[token], i, i+1)
	}
	e.seating.GiveBack(agents)
}

// placesOf are the clusters in which a host has agents, by sector.
func (e *enrolment) placesOf(host string) map[int][]wire.Address {
	e.mu.Lock()
	defer e.mu.Unlock()
	places := map[int][]wire.Address{}
	for cluster, agents := range e.agents {
		if slices.ContainsFunc(agents, func(a wire.Enrolled) bool { return a.Host == host }) {
			places[cluster.Sector] = append(places[cluster.Sector], cluster)
		}
	}
	for _, clusters := range places {
		slices.SortFunc(clusters, wire.Address.Compare)
	}
	return places
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
