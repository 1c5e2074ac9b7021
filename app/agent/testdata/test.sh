#!/usr/bin/env bash
# The whole test suite: formatting and vet, every package, the other platforms. Run by `make test`.
set -eu
cd "$(git rev-parse --show-toplevel 2>/dev/null || dirname "$0")"

make --no-print-directory check
CGO_ENABLED=1 go vet -trimpath ./app/window ./app/cmd/hawser-window # what is compiled only with C, as the tests build it
go test -timeout 30m ./...
make --no-print-directory cross
