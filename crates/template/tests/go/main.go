// Renders every line of cases.txt with Go's text/template, sprig and Traefik's own functions, and writes what came of it:
//
//	go run . < ../cases.txt > ../recorded.json
//
// The versions in go.mod are those that Traefik 3.7.9 is built with.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"text/template"
	"unicode"

	"github.com/Masterminds/sprig/v3"
)

const data = `{"name": "web", "n": 3, "f": 1.5, "yes": true, "nothing": null, "empty": "", "items": ["a", "b", "c"],
	"map": {"k": "v", "a": {"b": {"c": "deep"}}}, "list": [{"id": "x", "port": 80}, {"id": "y", "port": 81}], "none": []}`

type recorded struct {
	Template string `json:"template"`
	Output   string `json:"output,omitempty"`
	Error    string `json:"error,omitempty"`
}

func render(text string) (out recorded) {
	out.Template = text
	functions := sprig.TxtFuncMap()
	functions["split"] = strings.Split
	functions["normalize"] = func(name string) string {
		return strings.Join(strings.FieldsFunc(name, func(c rune) bool {
			return !unicode.IsLetter(c) && !unicode.IsNumber(c)
		}), "-")
	}
	parsed, err := template.New("t").Funcs(functions).Parse(text)
	if err != nil {
		out.Error = err.Error()
		return out
	}
	var values any
	if err := json.Unmarshal([]byte(data), &values); err != nil {
		panic(err)
	}
	var buffer bytes.Buffer
	if err := parsed.Execute(&buffer, values); err != nil {
		out.Error = err.Error()
		return out
	}
	out.Output = buffer.String()
	return out
}

func main() {
	var all []recorded
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "# ") {
			continue
		}
		all = append(all, render(strings.ReplaceAll(line, "⏎", "\n")))
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(all); err != nil {
		panic(err)
	}
}
