# SPDX-License-Identifier: LGPL-2.1-or-later
# One cmocka binary a module: tests/unit/test_NAME.c links against libxcext.
# A test that needs more than that and scratch.c lists it in test_NAME_SRC and
# test_NAME_LIBS.
UNIT_TESTS := $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/test_*.c)))

test_policy_model_LIBS := -lm
test_stream_reader_SRC := tests/unit/stream_sample.c
restore_fakes := tests/unit/restore_sample.c tests/unit/fake_xen.c
test_restore_stream_SRC := $(restore_fakes)
test_restore_hostile_SRC := $(restore_fakes)
test_restore_tables_SRC := $(restore_fakes)
test_restore_footprint_SRC := $(restore_fakes)
test_restore_memory_SRC := $(restore_fakes)
test_stream_malformed_SRC := tests/unit/stream_sample.c
test_stream_inspect_SRC := tests/unit/stream_sample.c tests/unit/saved_sample.c

define unit_rule
$(BUILD)/tests/unit/$(1): $$(call objs,tests/unit/$(1).c \
    tests/unit/scratch.c $$($(1)_SRC)) $$(LIB)
	$$(call say,LINK,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(LDFLAGS_ALL) -o $$@ \
	    $$(call objs,tests/unit/$(1).c tests/unit/scratch.c \
	    $$($(1)_SRC)) $$(LIB) \
	    $$($(1)_LIBS) $$(call pkglibs,$$(XCEXT_PKGS) cmocka) -lpthread
endef
$(foreach t,$(UNIT_TESTS),$(eval $(call unit_rule,$(t))))
