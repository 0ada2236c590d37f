package meshcore

import (
	"context"
	"fmt"
	"log/slog"

	"mesh30k/meshcore/wire"
)

// brokerLog takes the server's log into slog. The server believes that Fatalf
// ends the process; here it is kept as the reason why the start failed.
type brokerLog struct {
	log   *slog.Logger
	fatal chan string
}

func newBrokerLog(log *slog.Logger) *brokerLog {
	return &brokerLog{log: log.With("part", "broker"), fatal: make(chan string, 1)}
}

func (l *brokerLog) debugs() bool { return l.log.Enabled(context.Background(), slog.LevelDebug) }

func (l *brokerLog) say(level slog.Level, format string, v []any) {
	if l.log.Enabled(context.Background(), level) {
		// The server quotes names that clients chose.
		l.log.Log(context.Background(), level, wire.Clean(fmt.Sprintf(format, v...)))
	}
}

// Noticef implements the server's Logger. Its notices are nobody's news here.
func (l *brokerLog) Noticef(format string, v ...any) { l.say(slog.LevelDebug, format, v) }

// Warnf implements the server's Logger.
func (l *brokerLog) Warnf(format string, v ...any) { l.say(slog.LevelWarn, format, v) }

// Errorf implements the server's Logger: most errors are a client's, such as a
// publish that was refused.
func (l *brokerLog) Errorf(format string, v ...any) { l.say(slog.LevelWarn, format, v) }

// Debugf implements the server's Logger.
func (l *brokerLog) Debugf(format string, v ...any) { l.say(slog.LevelDebug, format, v) }

// Tracef implements the server's Logger.
func (l *brokerLog) Tracef(format string, v ...any) { l.say(slog.LevelDebug, format, v) }

// Fatalf implements the server's Logger; the first reason is kept.
func (l *brokerLog) Fatalf(format string, v ...any) {
	l.say(slog.LevelError, format, v)
	select {
	case l.fatal <- wire.Clean(fmt.Sprintf(format, v...)):
	default:
	}
}
