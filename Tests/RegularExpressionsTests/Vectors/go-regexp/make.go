// Asks Go's regexp package for its verdicts; see ORIGIN.md.
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
)

type verdict struct {
	Pattern string `json:"pattern"`
	Error   string `json:"error,omitempty"`
	Matches string `json:"matches,omitempty"`
}

func judge(pattern string, values []string) verdict {
	tree, err := syntax.Parse(pattern, syntax.Perl|syntax.DotNL)
	if err != nil {
		return verdict{Pattern: pattern, Error: err.(*syntax.Error).Code.String()}
	}
	// As Prometheus 3 does it: the tree printed again, between anchors.
	whole, err := regexp.Compile("^(?s:" + tree.String() + ")$")
	if err != nil {
		// The anchors made it one too deep: only the verdict on the pattern counts.
		return verdict{Pattern: pattern}
	}
	var bits strings.Builder
	for _, value := range values {
		if whole.MatchString(value) {
			bits.WriteByte('1')
		} else {
			bits.WriteByte('0')
		}
	}
	return verdict{Pattern: pattern, Matches: bits.String()}
}

var pieces = []string{
	"a", "b", "c", "k", "S", "0", "_", " ", ".", "*", "+", "?", "|", "(", ")", "(?:", "(?i)", "(?i:", "(?s-i:", "(?-s:", "(?m)",
	"[", "]", "[^", "[a-c]", "[^b]", "[]a]", "-", "^", "$", `\`, `\d`, `\D`, `\w`, `\W`, `\s`, `\S`, `\b`, `\B`, `\A`, `\z`, `\Z`,
	"{", "}", "{2}", "{0,1}", "{1,}", "{,2}", "{0}", "{1,3}", ",", "1", "&&", "[:alpha:]", "[[:alpha:]]", "[[:^digit:]]", "[:",
	`\pL`, `\PN`, `\p{Greek}`, `\p{^Lu}`, `\p{`, `\Q`, `\E`, `\x41`, `\x{3c3}`, `\x`, `\101`, `\0`, `\1`, `\n`, `\.`, `\-`,
	"é", "σ", "ſ", "K", "😀", "\n", "\uFFFD", "(?P<n>", "(?<m>", "(?P", "(?=", "<", ">", "ab", "abc", "a|b", ".*", ".+", "#", "^a", "b$",
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	var values, patterns []string
	for i, name := range []string{"values.txt", "patterns.txt"} {
		text, err := os.ReadFile(name)
		if err != nil {
			panic(err)
		}
		for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
			line, err := strconv.Unquote(line)
			if err != nil {
				panic(err)
			}
			if i == 0 {
				values = append(values, line)
			} else {
				patterns = append(patterns, line)
			}
		}
	}
	count, seed := 1500, int64(1)
	if len(os.Args) > 2 {
		fmt.Sscan(os.Args[1], &count)
		fmt.Sscan(os.Args[2], &seed)
	}
	random := rand.New(rand.NewSource(seed))
	for len(patterns) < count {
		var pattern strings.Builder
		for range 1 + random.Intn(9) {
			pattern.WriteString(pieces[random.Intn(len(pieces))])
		}
		patterns = append(patterns, pattern.String())
	}
	var coded []string
	for _, value := range values {
		coded = append(coded, hex.EncodeToString([]byte(value)))
	}
	encoder.Encode(coded)
	for _, pattern := range patterns {
		encoder.Encode(judge(pattern, values))
	}
}
