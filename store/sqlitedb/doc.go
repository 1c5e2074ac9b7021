// Package sqlitedb opens one SQLite file the way Hawser needs it: durable, owned by one process,
// migrated, small in memory; and it seals what must not be read from the disk.
//
// It is the only importer of the SQLite driver and knows no table of its users. A [DB] has one
// writing connection, so writers queue up inside the process instead of failing as busy, and a
// small pool of read-only ones; a [Sealer] is immutable. Both are safe for concurrent use and
// start no goroutine that outlives Close.
package sqlitedb
