package tray

import (
	"os"
	"runtime"
	"testing"
	"time"
)

// TestMain fails the package, and each scenario's process, when a goroutine outlives its tests.
func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	for deadline := time.Now().Add(3 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); code == 0 && n > before {
		buf := make([]byte, 1<<20)
		os.Stderr.Write(buf[:runtime.Stack(buf, true)])
		println("goroutines leaked:", n-before)
		code = 1
	}
	os.Exit(code)
}
