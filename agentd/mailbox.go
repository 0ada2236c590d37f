package agentd

import "sync"

// mailbox takes what other goroutines have for the loop: ends of work and
// changes of the link. put never waits, so that a handler may end its work from
// within Begin, on the loop's own goroutine.
type mailbox struct {
	mu    sync.Mutex
	items []mail
	ready chan struct{} // holds one token while there are items
}

// mail is one item; exactly one of its pointers is set.
type mail struct {
	end  *ended
	link *linkChange
}

func newMailbox() *mailbox { return &mailbox{ready: make(chan struct{}, 1)} }

func (m *mailbox) put(x mail) {
	m.mu.Lock()
	m.items = append(m.items, x)
	m.mu.Unlock()
	select {
	case m.ready <- struct{}{}:
	default:
	}
}

// take returns all items in order.
func (m *mailbox) take() []mail {
	m.mu.Lock()
	defer m.mu.Unlock()
	items := m.items
	m.items = nil
	return items
}
