# SPDX-License-Identifier: LGPL-2.1-or-later
# The guest's witness. Static, as it runs in a guest that has no libraries; of
# the library it takes the error type alone, and so it does not link libxcext.
# The sanitizers cannot be linked statically: then it is not, and no guest's.
WITNESS_PARTS := $(filter-out %/main.c,\
    $(sort $(wildcard tests/lab/witness/*.c))) libxc-ext/base/err.c
WITNESS_SRC   := tests/lab/witness/main.c $(WITNESS_PARTS)

$(BUILD)/bin/witness: $(call objs,$(WITNESS_SRC))
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_ALL) $(if $(SANFLAGS),,-static) -o $@ $^ \
	    -lm -lpthread

tests-built: $(BUILD)/bin/witness

# The unit tests of the witness link all of it but main.
$(foreach t,$(patsubst %.c,%,$(notdir \
    $(wildcard tests/unit/lab/test_witness*.c))),\
    $(eval $(t)_SRC := $(filter-out libxc-ext/%,$(WITNESS_PARTS)))\
    $(eval $(t)_LIBS := -lm))

QUICK_TESTS += tests/lab/witness/test-witness
