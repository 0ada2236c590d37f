package agentd

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"mesh30k/meshcore/auth"
	"mesh30k/meshcore/wire"
)

const (
	connectTimeout = 5 * time.Second
	pingInterval   = 20 * time.Second // a dead link is found after two of them
)

// link is the host's connection to the broker.
type link struct {
	conn *nats.Conn
	subs []*nats.Subscription
	up   bool
	// inbox is the prefix of this host's reply subjects. It is the process's
	// own: hosts of one name in several sectors share wire.InboxPrefix.
	inbox string
	cut   uint64 // number of the cut that lasts; 0: none
}

// linkChange tells the loop what became of a connection.
type linkChange struct {
	conn   *nats.Conn
	up     bool
	closed bool // for good: the client library gave up
}

// replyKind is the part of a reply subject that says what is answered.
type replyKind string

const (
	replyHello  replyKind = "w"
	replyBeat   replyKind = "h"
	replyReport replyKind = "r"
)

// connect opens the connection and subscribes. The broker may be away: then the
// connection comes up later, and says so.
func (l *loop) connect() error {
	tell := func(up bool) func(*nats.Conn) {
		return func(c *nats.Conn) { l.mail.put(mail{link: &linkChange{conn: c, up: up}}) }
	}
	down := tell(false)
	conn, err := l.cfg.Connect(
		nats.Name(l.cfg.Host),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.CustomReconnectDelay(func(attempts int) time.Duration {
			return auth.ReconnectDelay(attempts, l.cfg.Peers)
		}),
		nats.IgnoreAuthErrorAbort(), // a core that starts with a wrong clock refuses only for a while
		nats.ReconnectBufSize(-1),   // what is said while the link is down would come too late
		nats.Timeout(connectTimeout),
		nats.PingInterval(pingInterval),
		nats.NoEcho(),
		nats.ConnectHandler(tell(true)),
		nats.ReconnectHandler(tell(true)),
		nats.DisconnectErrHandler(func(c *nats.Conn, err error) {
			if err != nil { // nil: it was closed here
				l.log.Info("link to the broker lost; trying again for ever", "why", err)
			}
			down(c)
		}),
		nats.ClosedHandler(func(c *nats.Conn) { l.mail.put(mail{link: &linkChange{conn: c, closed: true}}) }),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) {
			if errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) || errors.Is(err, nats.ErrAuthRevoked) {
				l.log.Warn("the broker turns this host away; trying again for ever. If its place has expired, start it with a new --join TOKEN", "why", err)
				return
			}
			l.log.Debug("the broker cannot be reached yet", "why", err)
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			l.log.Warn("the broker complains", "why", err)
		}),
	)
	if err != nil {
		return fmt.Errorf("agentd: host %s: connect: %w", l.cfg.Host, err)
	}
	if !conn.IsConnected() {
		l.log.Info("the broker cannot be reached; trying again for ever")
	}
	l.link = link{conn: conn, inbox: wire.InboxPrefix(l.cfg.Host) + "." + nuid.Next()}
	return l.subscribe()
}

// subscribe asks for all that comes down to this host, into one channel.
func (l *loop) subscribe() error {
	subjects := []string{l.link.inbox + ".>"}
	for _, c := range l.order {
		subjects = append(subjects, wire.SubjectCluster(c.address), wire.SubjectHost(c.address, l.cfg.Host))
	}
	for _, subject := range subjects {
		sub, err := l.link.conn.ChanSubscribe(subject, l.messages)
		if err != nil {
			return fmt.Errorf("agentd: host %s: subscribe to %s: %w", l.cfg.Host, subject, err)
		}
		l.link.subs = append(l.link.subs, sub)
	}
	return nil
}

// disconnect ends the connection. Its callbacks come, and are ignored.
func (l *loop) disconnect() {
	if l.link.conn != nil {
		l.countDropped()
		l.link.conn.Close()
	}
	l.linkDown()
	l.link.conn, l.link.subs = nil, nil
}

// linkChanged takes up the talk with the leads anew when the link is up.
func (l *loop) linkChanged(x *linkChange) {
	if x.conn != l.link.conn {
		return
	}
	if x.closed {
		l.log.Warn("the broker closed the connection; trying again for ever", "why", x.conn.LastError())
		l.cutLink(auth.ReconnectDelay(1, l.cfg.Peers) + time.Second)
		return
	}
	if x.up == l.link.up {
		return
	}
	if !x.up {
		l.linkDown()
		return
	}
	l.link.up = true
	l.log.Debug("link to the broker is up", "broker", x.conn.ConnectedUrlRedacted())
	for _, c := range l.order {
		l.startHello(c)
		l.resendReport(c)
	}
}

func (l *loop) linkDown() {
	l.link.up = false
	l.stats.welcomed.Store(false)
	for _, c := range l.order {
		c.hello.open = false
	}
}

// reply is the reply subject for a request of this kind and sequence.
func (l *loop) reply(kind replyKind, c *cluster, seq uint64) string {
	return l.link.inbox + "." + string(kind) + "." + c.address.String() + "." + strconv.FormatUint(seq, 10)
}

// parseReply takes apart what reply made, without the inbox.
func parseReply(s string) (kind replyKind, cluster wire.Address, seq uint64, ok bool) {
	t := strings.Split(s, ".")
	if len(t) != 4 {
		return "", wire.Address{}, 0, false
	}
	cluster, err1 := wire.ParseAddress(t[1] + "." + t[2])
	seq, err2 := strconv.ParseUint(t[3], 10, 64)
	return replyKind(t[0]), cluster, seq, err1 == nil && err2 == nil
}

// say publishes m; false: the link is down, and nothing was sent.
func (l *loop) say(subject, reply string, m wire.Message) bool {
	if !l.link.up {
		return false
	}
	if err := l.link.conn.PublishMsg(&nats.Msg{Subject: subject, Reply: reply, Data: wire.Encode(m)}); err != nil {
		l.log.Debug("not sent", "subject", subject, "why", err)
		return false
	}
	return true
}

func (l *loop) countDropped() {
	var n uint64
	for _, s := range l.link.subs {
		if dropped, err := s.Dropped(); err == nil {
			n += uint64(dropped)
		}
	}
	l.stats.droppedMsg.Store(n)
}

// message takes one NATS message. What cannot be understood is reported, not
// fatal.
func (l *loop) message(m *nats.Msg) {
	if c := l.downlinks[m.Subject]; c != nil {
		if err := l.down(c, m.Data); err != nil {
			l.reportItem(c, wire.ReportItem{Kind: wire.ReportRejected, Detail: err.Error()})
		}
		return
	}
	rest, ok := strings.CutPrefix(m.Subject, l.link.inbox+".")
	if !ok {
		return // of a connection before a cut, or an answer that nobody awaits
	}
	if kind, address, seq, ok := parseReply(rest); ok && len(m.Data) > 0 && l.clusters[address] != nil {
		l.answer(kind, l.clusters[address], seq, m.Data)
	}
}

// answer takes the answer to a request.
func (l *loop) answer(kind replyKind, c *cluster, seq uint64, data []byte) {
	var err error
	switch kind {
	case replyHello:
		err = l.welcome(c, seq, data)
	case replyBeat:
		err = l.heartbeatAck(c, seq, data)
	case replyReport:
		err = l.reported(c, data)
	}
	if err == nil {
		return
	}
	var refused wire.Error
	if wire.Decode(data, wire.TypeError, &refused) == nil {
		l.log.Warn("the lead refuses", "cluster", c.address, "code", refused.Code, "why", refused.Error())
		return
	}
	l.reportItem(c, wire.ReportItem{Kind: wire.ReportRejected, Detail: err.Error()})
}

// down takes what a lead says of itself.
func (l *loop) down(c *cluster, data []byte) error {
	t, err := wire.PeekType(data)
	if err != nil {
		return err
	}
	switch t {
	case wire.TypeCoordinate:
		var m wire.Coordinate
		if err := wire.Decode(data, t, &m); err != nil {
			return err
		}
		l.coordinate(c, &m.MeshMessage)
	case wire.TypeFreeze, wire.TypeThaw:
		var m wire.Freeze
		if err := wire.Decode(data, t, &m); err != nil {
			return err
		}
		l.obey(c, m.Frozen)
	case wire.TypeInject:
		var m wire.Inject
		if err := wire.Decode(data, t, &m); err != nil {
			return err
		}
		return l.inject(c, &m)
	default:
		l.log.Debug("a message of a type that this version does not know is ignored", "type", wire.Clean(string(t)))
	}
	return nil
}
