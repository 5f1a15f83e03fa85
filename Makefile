# Each target does its own set-up: on a fresh Debian machine with Go, any of them is the first command.
# As root, or as anybody in a user namespace.

.PHONY: build demo test test-guest test-arm check check-tools sim bench interop bench-interop fuzz mutate soak conformance test-packages deb rpm dist

STATICCHECK = go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
DEMO =          # more flags of the demonstration: make demo DEMO="-pcap wire.pcapng -keys ."
ROTATIONS = 300 # of the SAK under traffic, in make soak
export REKEYS = 1000# of each kind on each SecY, in make soak
# Tests of the user-space data path that make soak gives ten minutes each.
LOADED = LossyReorderingWire|OverloadedSecY
# What make check leaves to make test: live tests of ten seconds and more or that take all processors, and worlds by the
# hundred under the race detector.
LONG = $(LOADED)|TestGroupIsConnectedAfterTrouble|TestSettingsChangeWithoutALapse|TestReloadCosts|TestReloadOfAMistake|TestEveryCombination|TestChainOf|TestRekeysOf|TestFramesHeld|TestFallbackTakes|TestPeerThat(ComesAndGoes|DoesNotReceive)|TestOneSeedGives
# Tests of whole worlds, which an emulated processor has no time for.
WORLDS = TenThousand|TestGroup|TestSettingsChange|TestRestart|TestOneSeed|TestThreeThat|Implementation|AnyOneBit|AnyLength
PURE = ./keyderive ./eapol ./secy ./offload ./mka/... ./internal/config ./internal/control ./internal/explain ./internal/decode \
	./internal/foreign ./internal/metrics ./cmd/mkactl
SEEDS = 10000   # small worlds that make sim plays
FOR = 1m        # for each target, in make fuzz
SEED = 1        # of the choice of mutants, in make mutate
N = 200         # mutants, in make mutate
ONLY =          # in make conformance: requirements, as in R45,R46, or "changed"; without it all
NFPM = go run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.44.2 package -f packaging/nfpm.yaml
VERSION = 0.1.0~dev# of the packages
GOBUILD = CGO_ENABLED=0 go build -trimpath

# bin/mkad and bin/mkactl, one static binary each.
build:
	$(GOBUILD) -ldflags '-X main.release=$(VERSION)' -o bin/ ./cmd/...

# Packages for amd64 and arm64, in dist/: make deb VERSION=1.2.3
deb rpm: dist
	for arch in amd64 arm64; do ARCH=$$arch VERSION=$(VERSION) $(NFPM) -p $@ -t dist/ || exit; done

# What packages hold beside files of the repository.
dist: build
	for arch in amd64 arm64; do GOARCH=$$arch $(GOBUILD) -ldflags '-X main.release=$(VERSION)' -o dist/$$arch/ ./cmd/... || exit; done
	for page in packaging/man/*; do gzip -9n <$$page >dist/$$(basename $$page).gz || exit; done
	for shell in bash zsh fish; do bin/mkactl completion $$shell >dist/mkactl.$$shell || exit; done

# Installation, upgrade and removal of the .deb and the .rpm in a Debian of its own, with its systemd; needs root. What that
# needs is installed on this machine, and stays: systemd-container and debootstrap. The first has systemd upgraded, where it is
# older.
test-packages: dist
	.ci/setup packages
	for kind in deb rpm; do \
		ARCH=amd64 VERSION=$(VERSION) $(NFPM) -p $$kind -t dist/older.$$kind && \
		ARCH=amd64 VERSION=$(VERSION)+1 $(NFPM) -p $$kind -t dist/newer.$$kind || exit; done
	.ci/packages

# Two hosts, one wire, everything shown: see internal/demo.
demo: build
	.ci/setup demo
	$(GOBUILD) -o bin/demo ./internal/demo
	bin/demo $(DEMO)

# Unit, race and veth tests, and one boot of each guest kernel; at most 15 minutes.
test: build
	.ci/setup test guest
	go test -race -count=1 -timeout 14m -exec $(CURDIR)/.ci/asroot ./...
	.ci/guest smoke

# Every guest test on every guest kernel; at most 45 minutes.
test-guest: build
	.ci/setup guest modules arm
	.ci/guest all
	$(MAKE) test-arm

# What needs no kernel of its own on a 32-bit ARM, emulated; a minute.
test-arm:
	.ci/setup arm
	CGO_ENABLED=0 GOARCH=arm GOARM=7 go test -count=1 -skip '$(WORLDS)' -exec qemu-arm-static $(PURE)

# The quick one for the desk; at most 5 minutes.
check:
	.ci/setup check
	@echo gofmt -l; files=$$(gofmt -l .) && echo "$$files" && test -z "$$files"
	go vet ./...
	$(STATICCHECK) ./...
	.ci/packaging
	go test ./internal/archtest
	go test -race -timeout 8m -skip '$(LONG)' -exec $(CURDIR)/.ci/asroot ./...
	.ci/fuzz 7s

# Fetches and builds what check needs beside Go, and what it compiles: on a desk that is there from the check before.
check-tools:
	$(STATICCHECK) -version
	go test -race -run '^$$' ./...
	.ci/fuzz 1x

# Small worlds in virtual time with everything that goes wrong in them; about 2 minutes. One that fails is shrunk, and
# printed with the command that plays it again: see internal/simtest.
sim:
	$(GOBUILD) -o bin/simtest ./internal/simtest
	bin/simtest -seeds $(SEEDS) -out bin

# Every benchmark, then the link against a plain one, and the link under a flood against one without.
bench: build
	.ci/setup bench
	go test -run '^$$' -bench . -exec $(CURDIR)/.ci/asroot ./...
	go run ./internal/linkbench -programs bin
	go run ./internal/floodbench -programs bin

# Every case and fault beside wpa_supplicant, and the tables of docs/interop.md made of them.
interop: build
	.ci/setup guest
	.ci/guest interop

# mkad beside wpa_supplicant: how soon, how large, how busy; and the tables of docs/interop.md made of them.
bench-interop: build
	.ci/setup guest
	.ci/guest bench-interop

# Every fuzz target, and what each has reached: make fuzz FOR=10m
fuzz:
	.ci/fuzz $(FOR) coverage

# Would the tests notice a fault? See internal/mutate.
mutate:
	go run ./internal/mutate -seed $(SEED) -n $(N)

# The tests of every requirement of the standards, and docs/conformance.md with what became of them; 2 minutes.
conformance: build
	.ci/setup test
	go run ./internal/conformance/run -only "$(strip $(ONLY))"

# Hours rather than minutes, for what is rare.
soak: build
	.ci/setup demo guest
	.ci/guest soak
	$(GOBUILD) -o bin/demo ./internal/demo
	bin/demo -rotations $(ROTATIONS)
	go test -count=1 -timeout 2h -exec $(CURDIR)/.ci/asroot -run '$(LOADED)' ./internal/daemon -v -load 10m
	go test -count=1 -timeout 2h -parallel 64 -exec $(CURDIR)/.ci/asroot ./internal/daemon -v -run 'RekeysOfEveryKind' \
		-each-kind $(REKEYS) -links 12 -link-rate 50
	go test -count=1 -timeout 1h -exec $(CURDIR)/.ci/asroot ./internal/daemon -v -run 'ChainOfFiveKeys' -chain-rate 1
	.ci/fuzz 10m coverage
