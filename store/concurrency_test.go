package store

import (
	"context"
	"sync"
	"testing"
	"time"

	"mesh30k/meshcore/wire"
)

// Whoever reads while facts are applied sees the state after some message.
func TestReadersSeeOneInstant(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	const messages = 300
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 6 {
		readers.Go(func() {
			for last := uint64(0); last < messages; {
				var cursor, newest uint64
				err := s.history.read.QueryRow("SELECT cursor, coalesce((SELECT max(seq) / 1000 FROM fact), 0) FROM progress").Scan(&cursor, &newest)
				if err != nil || cursor != newest || cursor < last {
					t.Errorf("cursor %d, newest fact of message %d, before it was %d, error %v", cursor, newest, last, err)
					return
				}
				last = cursor
				if _, err := s.History(context.Background(), wire.HistoryQuery{Limit: 10}); err != nil {
					t.Error(err)
					return
				}
				select {
				case <-done:
					last = messages
				default:
				}
			}
		})
	}
	var writers sync.WaitGroup
	writers.Go(func() {
		for seq := range uint64(messages) {
			apply(t, s, endless(seq+1))
		}
	})
	writers.Go(func() {
		for n := range 20 {
			must(t, s.WriteTrends(t.Context(), []wire.TrendRow{row(noon.Add(time.Duration(n)*time.Minute), cluster(7, 4), 30, 10, 5)}))
			_, err := s.Retain(t.Context(), noon, RetentionOptions{Age: time.Hour})
			must(t, err)
		}
	})
	writers.Wait()
	close(done)
	readers.Wait()
}

// The same messages from several goroutines are applied once each.
func TestSeveralAppliersApplyOnce(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	control := opened(t, t.TempDir(), Options{})
	var appliers sync.WaitGroup
	for range 4 {
		appliers.Go(func() {
			for seq := range uint64(100) {
				apply(t, s, endless(seq+1))
			}
		})
	}
	for seq := range uint64(100) {
		apply(t, control, endless(seq+1))
	}
	appliers.Wait()
	if dump(t, s) != dump(t, control) || s.Cursor() != 100 {
		t.Errorf("cursor %d, or the projection is not that of one applier", s.Cursor())
	}
}

func TestCloseWaitsForWhatRuns(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	begun, acknowledged := make(chan struct{}), make(chan uint64)
	go func() {
		var last uint64
		for seq := uint64(1); s.ApplyMany(context.Background(), []Batch{endless(seq)}) == nil; seq++ {
			if last = seq; seq == 5 {
				close(begun)
			}
		}
		acknowledged <- last
	}()
	<-begun
	must(t, s.Close())
	last := <-acknowledged
	if s := opened(t, dir, Options{}); s.Cursor() != last {
		t.Errorf("cursor %d, acknowledged %d", s.Cursor(), last)
	}
}

func TestWaitingForOnesTurnHeedsTheContext(t *testing.T) {
	s := opened(t, t.TempDir(), Options{})
	must(t, s.history.alone(t.Context(), func() error {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Apply(ctx, 1, endless(1).Facts); err == nil {
			t.Error("applied while another had the turn")
		}
		return nil
	}))
	if s.Cursor() != 0 {
		t.Errorf("cursor %d", s.Cursor())
	}
}
