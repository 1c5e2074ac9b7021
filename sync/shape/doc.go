// Package shape cuts a mail to what its owner wants to save and to what Salesforce can hold, before
// anything of it leaves the computer: levels, attachments, quoted history, safe HTML, text limits.
//
// It is pure: a mail and a choice in, a smaller mail and a list of what was left out; no I/O, no
// goroutines, no memory between calls, so every function may be called concurrently. It never
// fails: what cannot be shaped well is shaped to less. The words for what was left out are the
// caller's, who knows the language; [Note] puts them where they are seen.
//
// What a mail may cost is bounded by the input: HTML is read as tokens, a fixed number of times,
// never as a tree, so nesting costs nothing; only so much is kept as the largest field holds.
package shape
