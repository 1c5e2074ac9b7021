package tray

import (
	"os"
	"testing"

	"hawser/sync/leaktest"
)

// TestMain fails the package, and each scenario's process, when a goroutine outlives its tests.
func TestMain(m *testing.M) { os.Exit(leaktest.Run(m.Run)) }
