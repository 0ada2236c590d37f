package store

import (
	"fmt"

	"mesh30k/meshcore/wire"
)

// derive keeps up to date what is asked for otherwise than fact by fact. What
// lasts and is only read when the core starts (tokens, freeze orders) is not
// derived but read from the facts.
func (p *projector) derive(f *wire.Fact) error {
	switch f.Kind {
	case wire.FactHostJoined:
		return derive(p, f, p.hostJoined)
	case wire.FactPersonAdded:
		return derive(p, f, p.personAdded)
	case wire.FactOpStarted:
		return derive(p, f, p.operationStarted)
	case wire.FactDelivered:
		return derive(p, f, p.delivered)
	case wire.FactOpEnded:
		return derive(p, f, p.operationEnded)
	case wire.FactAudit:
		return p.audited(f)
	default:
		return nil
	}
}

// derive reads the data of a fact and hands it on. Data that cannot be read
// leaves the fact as it is, without what would follow from it: the stream is the
// truth, and one bad fact must not keep a core from starting.
func derive[T any](p *projector, f *wire.Fact, use func(*wire.Fact, *T) error) error {
	data, err := decode[T](f.Data)
	if err != nil {
		p.unreadable(f, err)
		return nil
	}
	return use(f, &data)
}

func (p *projector) unreadable(f *wire.Fact, err error) {
	p.unread = append(p.unread, fmt.Sprintf("fact %d (%s) has data that cannot be read; it is kept, nothing follows from it: %v", f.Seq, f.Kind, err))
}

func (p *projector) hostJoined(f *wire.Fact, j *wire.HostJoined) error {
	if err := p.tokenUsed(f, j.Token, j.Key, f.Host); err != nil {
		return err
	}
	for i := range j.Agents {
		a := &j.Agents[i]
		text, err := encode(a)
		if err != nil {
			return err
		}
		_, err = p.tx.exec(`INSERT INTO agent (agent_id, seq, host_key, sector, ordinal, enrolment) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (agent_id) DO UPDATE SET seq = excluded.seq, host_key = excluded.host_key,
				sector = excluded.sector, ordinal = excluded.ordinal, enrolment = excluded.enrolment`,
			a.AgentID, int64(f.Seq), j.Key, a.Address.Sector, a.Ordinal, text)
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *projector) tokenUsed(f *wire.Fact, token, key, name string) error {
	if token == "" {
		return nil
	}
	_, err := p.tx.exec("INSERT INTO token_use (token, key, name, seq) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
		token, key, name, int64(f.Seq))
	return err
}

func (p *projector) personAdded(f *wire.Fact, who *wire.Person) error {
	if err := p.tokenUsed(f, who.Token, who.Key, who.Name); err != nil {
		return err
	}
	_, err := p.tx.exec(`INSERT INTO person (name, role, key, seq) VALUES (?, ?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET role = excluded.role, key = excluded.key, seq = excluded.seq`,
		who.Name, string(who.Role), who.Key, int64(f.Seq))
	return err
}

func (p *projector) operationStarted(f *wire.Fact, op *wire.Operation) error {
	_, err := p.tx.exec(`INSERT INTO operation (id, seq, action, message_id, started) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT DO NOTHING`,
		op.ID, int64(f.Seq), op.Action, op.Message.MessageID, nanos(op.Started))
	return err
}

func (p *projector) delivered(f *wire.Fact, d *wire.DeliveryFact) error {
	_, err := p.tx.exec("INSERT INTO delivery (seq, operation, sector, state, code, agents) VALUES (?, ?, ?, ?, ?, ?)",
		int64(f.Seq), d.Operation, d.Sector, int(d.State), optional(string(d.Code)), packBits(d.Agents))
	return err
}

func (p *projector) operationEnded(f *wire.Fact, end *wire.OperationEnd) error {
	_, err := p.tx.exec("UPDATE operation SET ended = ?, ended_at = ? WHERE id = ? AND ended IS NULL",
		int64(f.Seq), nanos(f.At), end.ID)
	return err
}

// audited keeps the entry as it came, not as it was understood: what is
// hash-chained must not be spelled anew.
func (p *projector) audited(f *wire.Fact) error {
	entry, err := decode[wire.AuditEntry](f.Data)
	if err != nil {
		p.unreadable(f, err)
	}
	_, err = p.tx.exec("INSERT INTO audit (seq, at, person, prev, hash, entry) VALUES (?, ?, ?, ?, ?, ?)",
		int64(f.Seq), nanos(f.At), entry.Person, entry.Prev, entry.Hash, string(f.Data))
	return err
}
