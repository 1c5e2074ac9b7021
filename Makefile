# Hawser is built, tried and tested from here. `make` alone explains itself.

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# One set of flags for development, test and release, so that one build cache serves all.
export CGO_ENABLED := 0
VERSION := $(shell sed -n 's/^Version = "\(.*\)"/\1/p' FyneApp.toml)
LDFLAGS := -s -w -X main.version=$(VERSION)
GOFLAGS_BUILD := -trimpath -ldflags '$(LDFLAGS)'
# The programs of this machine that need Go alone: the agent and the backend. The window needs C too.
PROGRAMS := hawser hawserd
# The window, with what it is compiled with.
WINDOW = app/agent/testdata/deps.sh window; \
	echo "hawser-window: the first time takes minutes, its OpenGL bindings are C"; \
	CGO_ENABLED=1 go build $(GOFLAGS_BUILD) -o dist/hawser-window ./app/cmd/hawser-window

.PHONY: help demo test check build bench cross rows pictures deps

help: ## say what can be done here
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## watch the real agent carry e-mails into a pretend Salesforce (NEWCOMER=1: be its user, in the window; SCRIPT=1: unattended, with a summary)
	@mkdir -p dist
	@for p in $(PROGRAMS) sandbox; do go build $(GOFLAGS_BUILD) -o dist/$$p ./app/cmd/$$p; done
	@$(if $(NEWCOMER),$(WINDOW))
	@./dist/sandbox -agent dist/hawser -hawserd dist/hawserd $(if $(SCRIPT),-script) $(if $(NEWCOMER),-newcomer)

test: deps ## everything: unit, real servers, end to end, other platforms
	@app/agent/testdata/test.sh

check: ## what needs nothing but Go and takes seconds: vet, formatting, architecture, pure logic
	@test -z "$$(gofmt -l app sync auth store assets)" || { gofmt -l app sync auth store assets; echo "run gofmt -w on these"; exit 1; }
	@go vet ./...
	@go test -short ./sync/capture/... ./sync/fault/... ./sync/match/... ./sync/rules/... ./sync/engine/... ./sync/deliver/... ./auth/secret/... ./auth/site/... ./app/config/... ./app/logging/... ./app/text/... ./app/tray/... ./assets/...
	@go test -short -run 'TestImports|TestPackageDocs|TestSizes|TestShippedBinary' ./app/agent

build: ## the programs for this machine, in dist/
	@mkdir -p dist
	@for p in $(PROGRAMS); do go build $(GOFLAGS_BUILD) -o dist/$$p ./app/cmd/$$p; done
	@$(WINDOW)
	@ls -l dist

bench: deps ## the numbers we promise, each beside its raw limit and a rival, medians of interleaved runs (ROUNDS=5 MAILS=10000 SIZE=100000 IDLE=1m COMPUTERS=1000000 ONLY=icon,window)
	@go test -run '^$$' -bench '^BenchmarkPromises$$' -benchtime 1x -timeout 0 ./app/agent -args -rounds=$(or $(ROUNDS),5) -mails=$(or $(MAILS),10000) -size=$(or $(SIZE),100000) -idle=$(or $(IDLE),1m) -only=$(ONLY)
	@test -n "$(ONLY)" || go test -run '^$$' -bench '^BenchmarkCheckIn$$' -benchtime 1x -timeout 0 ./app/server -args -rounds=$(or $(ROUNDS),5) -devices=$(or $(COMPUTERS),1000000)

cross: ## Windows built for amd64 and arm64, macOS and the window without its drawing vetted
	@mkdir -p dist/windows-amd64 dist/windows-arm64
	@for arch in amd64 arm64; do GOOS=windows GOARCH=$$arch go build $(GOFLAGS_BUILD) -o dist/windows-$$arch/ ./app/cmd/hawser; done
	@GOOS=windows go vet ./app/window ./app/cmd/hawser-window
	@GOOS=darwin go vet ./sync/... ./auth/... ./store/... ./app/config ./app/control ./app/logging ./app/text ./app/tray ./app/notice ./app/desktop

rows: ## what is promised, row by row, and the tests of each
	@go test -short -count=1 -run '^TestRows$$' -v ./app/agent | sed -n 's/.*rows_test.go:[0-9]*: //p'

pictures: ## the window's pictures in the help pages and in its tests, drawn anew (SHOTS=folder: every screen in every language too)
	@go test -count=1 -run '^Test(M03|Help)Pictures$$' ./app/window -args -update
	@$(if $(SHOTS),mkdir -p $(SHOTS) && HAWSER_SHOTS=$(abspath $(SHOTS)) go test -count=1 -timeout 30m -run '^TestM03M04NothingIsCut$$' ./app/window)

deps: ## install what the tests need (Debian and Ubuntu), saying what it does
	@app/agent/testdata/deps.sh
