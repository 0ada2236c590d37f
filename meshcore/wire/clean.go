package wire

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxText is how much of an agent's text a line of a screen or a log keeps, in bytes.
const MaxText = 4096

// Clean makes text from outside safe to show on a terminal: control characters
// (C0, DEL, C1, and with them every escape sequence's introducer), bidirectional
// overrides and isolates, zero-width and other invisible format characters are
// replaced by U+FFFD, a tab by a space; a newline stays only in [CleanBlock].
// Invalid UTF-8 becomes U+FFFD. The result has at most [MaxText] bytes; where
// more is cut off it ends in an ellipsis. What is clean stays as it is.
//
// It replaces instead of dropping, so that tampering shows.
func Clean(s string) string { return clean(s, false) }

// CleanBlock is [Clean] for text of several lines: '\n' stays.
func CleanBlock(s string) string { return clean(s, true) }

func clean(s string, lines bool) string {
	if len(s) <= MaxText && isClean(s, lines) {
		return s
	}
	var b strings.Builder
	b.Grow(min(len(s), MaxText) + utf8.UTFMax)
	for _, r := range s {
		switch {
		case r == '\t':
			r = ' '
		case r == '\n' && lines:
		case unsafe(r):
			r = utf8.RuneError
		}
		b.WriteRune(r)
		if b.Len() > MaxText {
			return ellipsis(b.String())
		}
	}
	return b.String()
}

// ellipsis cuts s to [MaxText] bytes, between characters.
func ellipsis(s string) string {
	end := MaxText - len("…")
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

func isClean(s string, lines bool) bool {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return false
			}
		}
		if r == '\n' && lines {
			continue
		}
		if unsafe(r) {
			return false
		}
	}
	return true
}

// unsafe reports whether r can move the cursor, start a sequence, reorder or
// hide text.
func unsafe(r rune) bool {
	if r < 0x80 {
		return r < 0x20 || r == 0x7f
	}
	return r < 0xa0 || // C1
		unicode.Is(unicode.Cf, r) || // bidi, zero-width, soft hyphen, tags
		unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) || // fillers and joiners that take no place
		unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) ||
		unicode.Is(unicode.Co, r) || unicode.Is(unicode.Variation_Selector, r)
}
