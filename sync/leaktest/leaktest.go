// Package leaktest fails a package's tests when a goroutine outlives them: every goroutine has an
// owner that waits for it. Its border is the process; it starts nothing itself. It is called once,
// from TestMain.
package leaktest

import (
	"flag"
	"os"
	"runtime"
	"time"
)

// patience is how long goroutines that were told to end may take.
const patience = 5 * time.Second

// Run runs the tests and returns their exit code, or 1 when they leave goroutines behind.
func Run(tests func() int) int {
	before := runtime.NumGoroutine()
	code := tests()
	if flag.Lookup("test.fuzz").Value.String() != "" {
		return code // a fuzzing run keeps goroutines of its own
	}
	for deadline := time.Now().Add(patience); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); code == 0 && n > before {
		buf := make([]byte, 1<<20)
		_, _ = os.Stderr.Write(buf[:runtime.Stack(buf, true)])
		println("goroutines leaked:", n-before)
		code = 1
	}
	return code
}
