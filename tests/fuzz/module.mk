# SPDX-License-Identifier: LGPL-2.1-or-later
# Fuzz targets: tests/fuzz/fuzz_NAME.c, built with the sanitizers from the
# pure rooms' sources, apart from all other objects. A target that needs more
# lists it in fuzz_NAME_SRC and fuzz_NAME_LIBS. tests/fuzz/run-fuzz runs each
# for FUZZ_SECONDS, from a corpus of the golden streams on.
FUZZ_TESTS += tests/fuzz/run-fuzz
FUZZ_TARGETS := $(filter-out fuzz_main,$(patsubst tests/fuzz/%.c,%,$(sort \
    $(wildcard tests/fuzz/fuzz_*.c))))
FUZZ_BINS := $(FUZZ_TARGETS:%=$(BUILD)/fuzz/bin/%)
FUZZ_COMMON := tests/fuzz/fuzz_main.c tests/unit/stream_sample.c \
    $(filter libxc-ext/base/% libxc-ext/stream/%,$(LIB_SRC))
FUZZ_FLAGS := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
    -fno-sanitize-recover=all

$(BUILD)/fuzz/obj/%.o: %.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) $(FUZZ_FLAGS) -Ilibxc-ext/include -Ilibxc-ext \
	    -Ixl-plugin -Itests \
	    -c -o $@ $<

fuzz_inspect_SRC := $(wildcard xl-plugin/xl-migrate/inspect/*.c \
    xl-plugin/xl-migrate/format/*.c) xl-plugin/common/json.c \
    tests/unit/saved_sample.c
fuzz_inspect_LIBS = $(call pkglibs,yajl)

# With the engine on a made-up hypervisor; the libraries fill in what a save
# would call.
fuzz_restore_SRC := tests/unit/restore_sample.c tests/unit/fake_xen.c \
    $(filter-out libxc-ext/base/% libxc-ext/stream/%,$(LIB_SRC))
fuzz_restore_LIBS = $(call pkglibs,$(XCEXT_PKGS)) -lpthread
fuzz_parent_SRC := xl-plugin/save-helper/parent.c \
    xl-plugin/save-helper/message.c tests/sim/protocol.c
fuzz_pagetable_SRC := libxc-ext/guest/pv_pagetable.c

define fuzz_rule
$(BUILD)/fuzz/bin/$(1): $$(patsubst %.c,$(BUILD)/fuzz/obj/%.o, \
    tests/fuzz/$(1).c $$(FUZZ_COMMON) $$($(1)_SRC))
	$$(call say,LINK,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(LDFLAGS_ALL) $$(FUZZ_FLAGS) -o $$@ $$^ $$($(1)_LIBS)
endef
$(foreach t,$(FUZZ_TARGETS),$(eval $(call fuzz_rule,$(t))))

FUZZ_GOLDEN := $(sort $(wildcard tests/data/*.gz))
FUZZ_CORPUS := $(BUILD)/fuzz/corpus/.made
$(FUZZ_CORPUS): tests/fuzz/make-corpus $(FUZZ_GOLDEN)
	$(call say,CORPUS,$(@D))
	$(Q)rm -rf $(@D) && tests/fuzz/make-corpus $(FUZZ_GOLDEN) $(@D)
	$(Q)touch $@

.PHONY: fuzz fuzz-built
fuzz-built: deps-check
	$(Q)$(MAKE) --no-print-directory $(FUZZ_BINS) $(FUZZ_CORPUS)

fuzz: fuzz-built
	$(Q)$(run-tests) $(FUZZ_TESTS)

check check-all: fuzz-built

-include $(shell [ -d $(BUILD)/fuzz/obj ] && find $(BUILD)/fuzz/obj -name '*.d')
