package cli

import (
	"fmt"
	"strconv"
	"strings"

	"mesh30k/meshcore/wire"
)

// confirm shows the plan and asks. Without a person at a terminal it refuses and
// says how to go on.
func (s *session) confirm(p *wire.Plan) *wire.Error {
	if !s.Terminal || s.out.json || s.out.jsonl {
		return wire.Errorf(wire.CodeForbidden, "nothing was done: nobody confirmed plan %s", p.Hash).
			WithHint("repeat the command with --yes=%s within a minute, or with --yes", p.Hash)
	}
	s.out.showPlan(p)
	question, want := "Go ahead? [y/N] ", "y"
	if p.Wide {
		want = strconv.Itoa(p.Count)
		question = fmt.Sprintf("To %s, type the number of agents (%s): ", s.entry.Name, want)
	}
	fmt.Fprint(s.Err, question)
	answer, err := s.readLine()
	if err != nil {
		fmt.Fprintln(s.Err)
		return wire.Errorf(wire.CodeForbidden, "nothing was done: %v", err).WithHint("plan it again")
	}
	answer = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(answer), ",", ""))
	if answer != want && (want != "y" || answer != "yes") {
		return wire.Errorf(wire.CodeForbidden, "nothing was done: it was not confirmed").WithHint("plan it again")
	}
	return nil
}

// readLine reads what the person types, until the command is interrupted. The
// reading goroutine then stays with the terminal until the process ends, which
// it is about to do: a read of a terminal cannot be called off.
func (s *session) readLine() (string, error) {
	type line struct {
		text string
		err  error
	}
	got := make(chan line, 1)
	go func() {
		text, err := s.in.ReadString('\n')
		got <- line{text, err}
	}()
	select {
	case l := <-got:
		if l.err != nil && l.text == "" {
			return "", fmt.Errorf("the terminal is closed")
		}
		return l.text, nil
	case <-s.cmd.Context().Done():
		return "", fmt.Errorf("interrupted")
	}
}
