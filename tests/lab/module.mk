# SPDX-License-Identifier: LGPL-2.1-or-later
# The lab's own programs and its test scripts. The witness runs in the guests,
# the relay is the wire between the hosts, plain stands in for ssh.
include tests/lab/witness/module.mk

$(BUILD)/bin/relay: $(call objs,tests/lab/relay.c)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^

$(BUILD)/bin/plain: $(call objs,tests/lab/plain.c)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^

.PHONY: lab-built demo
lab-built: $(BUILD)/bin/relay $(BUILD)/bin/witness $(BUILD)/bin/plain

tests-built: $(BUILD)/bin/relay $(BUILD)/bin/plain

demo: deps-lab
	$(Q)$(MAKE) --no-print-directory all-built lab-built
	$(Q)tests/lab/demo

QUICK_TESTS += tests/lab/test-relay

# The standard suite. Each script brings up a lab of its own and ends it.
LAB_TESTS += tests/lab/test-lab tests/lab/test-helper-migrate

# All workloads on all kinds of guests take long.
SLOW_TESTS += tests/lab/test-stock-migrate tests/lab/test-helper-workloads \
              tests/lab/test-helper-repeat tests/lab/test-send tests/lab/test-handover tests/lab/test-check \
              tests/lab/test-control tests/lab/test-send-matrix \
              tests/lab/test-forecast tests/lab/test-qdisk \
              tests/lab/test-three-hosts tests/lab/test-beside \
              tests/lab/test-guest-acts tests/lab/test-neighbour \
              tests/lab/test-odd-guests

.PHONY: bench-lab
bench-lab: deps-lab
	$(Q)$(MAKE) --no-print-directory all-built lab-built
	$(Q)tests/lab/bench-workers
	$(Q)tests/lab/bench-migrate
	$(Q)tests/lab/bench-send
