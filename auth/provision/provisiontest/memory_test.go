package provisiontest

import (
	"testing"

	"hawser/auth/provision"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	RunStore(t, func(*testing.T) provision.Store { return new(Memory) })
}
