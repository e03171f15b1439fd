# SPDX-License-Identifier: Apache-2.0
# A thin front for tools/: `make help` lists what there is.
.PHONY: help build check test demo bench clean
help:
	@echo "make build   the programs, into build/bin"
	@echo "make check   quick loop: format, tidy, layers, unit and contract tests"
	@echo "make test    everything, on the real engines (tools/test)"
	@echo "make demo    see it work (tools/demo; tools/demo --down removes it)"
	@echo "make bench   the benchmark tables"
	@echo "make clean   remove build/"
build:
	@tools/install build run
	@tools/build release
check:
	@tools/check
test:
	@tools/test
demo:
	@tools/demo
bench:
	@tools/bench
clean:
	rm -rf build
