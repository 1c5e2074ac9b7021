// Package agentdb is the memory of the agent: the ledger of every mail it has seen, the sealed
// queue of those that wait, cursors, journal, followed conversations, remembered answers, choices,
// secrets, settings and the one binding.
//
// It implements [hawser/sync/deliver.Queue] and owns the rule that seen = captured + filtered +
// held + waiting after every commit. It decides nothing about mails and opens no socket. Whatever
// names a person, a folder or a subject is sealed or keyed-hashed; ids, times, sizes and states
// are plain. Of a mail that was filtered it keeps keyed hashes, the reason and the time, for 90
// days; of one that was captured its key and its record's id, for ever. A [DB] is safe for
// concurrent use: writers queue up, readers see what is committed. Every method that changes
// something is durable when it returns nil; errors are *fault.Error (DiskFull, QueueLocked,
// QueueDamaged, NotFound, ...) or the context's.
package agentdb
