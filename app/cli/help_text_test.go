package cli

import "testing"

func TestPlainText(t *testing.T) {
	t.Parallel()
	rows := []struct{ name, markdown, want string }{
		{"heading", "# A `title`\n\n## Part\n", "A title\n=======\n\nPart\n----\n"},
		{"paragraph", "one two three\nfour **five** six\n", "one two three four\nfive six\n"},
		{"item", "- one two three four five\n  six\n- seven\n", "- one two three four\n  five six\n- seven\n"},
		{"numbers", "10. one two three four five\n", "10. one two three four\n    five\n"},
		{"command in one piece", "then type `hawser status` now\n", "then type\n“hawser status” now\n"},
		{"link", "see [it](status.md)\n", "see it\n(“hawser help status”)\n"},
		{"picture", "![Home: how it goes.](picture/home.png)\n", "Home: how it goes.\n"},
		{"address", "[it](https://a.example)\n", "it <https://a.example>\n"},
		{"fence", "```sh\n# `as` **is**, however long a line may be\n```\nend\n", "    # `as` **is**, however long a line may be\nend\n"},
		{"open fence", "```\nline", "    line\n"},
		{"table", "| a | b |\n|---|---|\n| `x` | one two three four five six |\n| longer | y |\n",
			"a       b\nx       one two three four five\n        six\nlonger  y\n"},
		{"long word", "a https://acme.my.site.com/partners b\n", "a\nhttps://acme.my.site.com/partners\nb\n"},
	}
	for _, r := range rows {
		if got := plainText(r.markdown, 22); got != r.want {
			t.Errorf("%s:\n%s\nwant\n%s", r.name, got, r.want)
		}
	}
}
