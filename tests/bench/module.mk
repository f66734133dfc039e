# SPDX-License-Identifier: LGPL-2.1-or-later
# make bench: our helper against the stock one in the simulator.
# BENCH_ARGS="--pairs 3 --only 'pv-dom0.*1024'" and the like.
BENCH_ARGS ?=

.PHONY: bench
bench: deps-check
	$(Q)$(MAKE) --no-print-directory tests-built
	$(Q)BUILD=$(BUILD) tests/bench/bench $(BENCH_ARGS)
