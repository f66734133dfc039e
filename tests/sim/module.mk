# SPDX-License-Identifier: LGPL-2.1-or-later
# The simulator: simlab plays libxl, libxcxsim.so plays the hypervisor.
SIM_COMMON := tests/sim/spec.c tests/sim/world.c tests/sim/logdirty.c \
              tests/sim/pv.c tests/sim/calls.c tests/sim/fault.c \
              tests/sim/cost.c tests/sim/workload.c tests/sim/build.c \
              tests/sim/pv_build.c
SIM_PRELOAD_SRC := $(SIM_COMMON) tests/sim/process.c tests/sim/preload.c \
              tests/sim/foreign.c tests/sim/hypercall.c \
              tests/sim/calls_domctl.c tests/sim/calls_vcpu.c \
              tests/sim/calls_memory.c tests/sim/xenstore.c \
              libxc-ext/base/err.c
SIM_PRELOAD := $(BUILD)/lib/libxcxsim.so
SIM_STOCK := $(BUILD)/cache/xen-utils/.fetched

TEST_PROGS += simlab sim-misuse
sim-misuse_SRC := tests/sim/misuse.c
simlab_LIBS = $(JSON_LIBS)
simlab_SRC := $(SIM_COMMON) tests/sim/simlab.c tests/sim/options.c \
              tests/sim/sweep.c tests/sim/run.c \
              tests/sim/result.c tests/sim/helper.c tests/sim/pump.c \
              tests/sim/protocol.c tests/sim/compare.c \
              tests/sim/compare_state.c

# Our helper, whose limits change while it runs.
TEST_PROGS += xl-save-helper-tuned
xl-save-helper-tuned_SRC := $(SAVE_HELPER_SRC) tests/sim/tuned.c
xl-save-helper-tuned_LIBS = $(xl-save-helper_LIBS) -Wl,--wrap=xcx_save

# The library goes into unmodified programs: never with a sanitizer, never
# counting lines.
$(BUILD)/sim/%.o: %.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out --coverage,$(CFLAGS_ALL)) \
	    -fno-sanitize=all -fPIC -Ilibxc-ext/include \
	    -Ilibxc-ext -c -o $@ $<

$(SIM_PRELOAD): $(SIM_PRELOAD_SRC:%.c=$(BUILD)/sim/%.o)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -shared -Wl,-z,relro,-z,now -o $@ $^ -lpthread

# The stock helper and verify-stream-v2, out of Debian's package.
$(SIM_STOCK): tests/sim/fetch-stock
	$(call say,FETCH,xen-utils)
	$(Q)tests/sim/fetch-stock $(BUILD)/cache

$(BUILD)/bin/simlab: | $(SIM_PRELOAD) $(SIM_STOCK)
tests-built: $(SIM_PRELOAD)

test_sim_text_SRC := $(SIM_COMMON) tests/sim/protocol.c
test_sim_world_SRC := $(SIM_COMMON) tests/sim/compare.c \
              tests/sim/compare_state.c

QUICK_TESTS += tests/sim/test-stock tests/sim/test-misuse \
               tests/sim/test-ours tests/sim/test-restore \
               tests/sim/test-sweep tests/sim/test-inspect

SLOW_TESTS += tests/sim/test-soak tests/sim/test-restore-soak \
              tests/sim/test-huge

-include $(shell [ -d $(BUILD)/sim ] && find $(BUILD)/sim -name '*.d')
