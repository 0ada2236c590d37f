package agentd

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"mesh30k/meshcore/wire"
)

// tidy makes a result fit to be sent: text from a handler is data, and it may
// be anything.
func (r Result) tidy() Result {
	switch {
	case r.State == wire.Refused && r.Code == wire.CodeExpired:
		r.State = wire.Expired
	case r.State == wire.Refused && r.Code == "":
		r.Code = wire.CodeHandler
	case r.State == wire.Worked, r.State == wire.InConflict, r.State == wire.Refused, r.State == wire.Expired:
	default:
		return refusal(wire.CodeInternal, "the handler ended its work as %s", r.State).took(r)
	}
	if len(r.Answer) > 0 && !r.Answer.IsValid() {
		r.Answer = TextAnswer(string(r.Answer))
	}
	if len(r.Answer) > wire.MaxBody {
		return refusal(wire.CodeTooLarge, "the answer has %d bytes, the limit is %d", len(r.Answer), wire.MaxBody).took(r)
	}
	if r.Detail != nil {
		body, err := json.Marshal(r.Detail)
		if err != nil {
			r.Detail = &wire.ConflictDetail{Type: "unspecified", Data: TextAnswer(err.Error())}
		} else if len(body) > wire.MaxBody {
			return refusal(wire.CodeTooLarge, "the conflict detail has %d bytes, the limit is %d", len(body), wire.MaxBody).took(r)
		}
	}
	return r
}

// refusal is a REFUSED with words.
func refusal(code wire.Code, format string, args ...any) Result {
	return Result{State: wire.Refused, Code: code, Answer: TextAnswer(fmt.Sprintf(format, args...))}
}

// took gives r the times of from.
func (r Result) took(from Result) Result {
	r.Started, r.Took = from.Started, from.Took
	return r
}

// TextAnswer makes text an answer: a JSON string, in which what is not UTF-8
// has become U+FFFD.
func TextAnswer(text string) jsontext.Value {
	v, err := jsontext.AppendQuote(nil, strings.ToValidUTF8(text, "\uFFFD"))
	if err != nil {
		return jsontext.Value(`""`) // cannot be: it is valid UTF-8
	}
	return v
}
