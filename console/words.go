package console

import (
	"strings"

	"mesh30k/meshcore/wire"
)

// splitWords takes a line apart as a shell does: blanks separate, '…' takes all
// as it is, "…" lets a backslash escape, a backslash outside takes the next
// character as it is. Nothing else is special, so that | and > need no quotes.
func splitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote rune
	begun, escaped := false, false
	for _, r := range line {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, begun = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, begun = r, true
		case r == ' ' || r == '\t' || r == '\n' || r == '\r':
			if begun {
				words = append(words, word.String())
				word.Reset()
				begun = false
			}
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if quote != 0 {
		return nil, wire.Errorf(wire.CodeBadMessage, "a quote %c is not closed", quote).WithHint("close it, or write \\%c", quote)
	}
	if escaped {
		return nil, wire.Errorf(wire.CodeBadMessage, `the line ends with a backslash`).WithHint(`write \\ for a backslash`)
	}
	if begun {
		words = append(words, word.String())
	}
	return words, nil
}

// quoteWord spells s so that splitWords reads it as one word, and a shell too.
func quoteWord(s string) string {
	plain := s != ""
	for _, r := range s {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789=,.:_-+/@%", r) {
			plain = false
			break
		}
	}
	if plain && !strings.HasPrefix(s, "-") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
