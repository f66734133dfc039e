# SPDX-License-Identifier: LGPL-2.1-or-later
# xl-save-helper: the program named by LIBXL_SAVE_HELPER.
SAVE_HELPER_DIR := xl-plugin/save-helper
SAVE_HELPER_SRC := $(sort $(wildcard $(SAVE_HELPER_DIR)/*.c)) $(COMMON_SRC)

# The program itself can only be linked once the engine is there.
ifneq ($(wildcard libxc-ext/engine/save.c),)
PROGS += xl-save-helper
endif
xl-save-helper_SRC := $(SAVE_HELPER_SRC)
# The archive: shared, libxlutil brings libxenlight and five libraries more
# with it, for a parser, and loading them takes a third of a millisecond of
# each migration. The archive calls libxenlight in one place, a getter of
# defbools that nobody here uses.
xl-save-helper_LIBS = -Wl,-Bstatic $(COMMON_LIBS) -Wl,-Bdynamic \
    -Wl,--defsym=libxl_defbool_set=0 $(QEMU_DISKS_LIBS) $(JSON_LIBS)
xl-save-helper_DIR := libexec/xl-migrate

# Everything but main(), for the tests.
SAVE_HELPER_LIB := $(BUILD)/lib/save-helper.a
SAVE_HELPER_LIB_SRC := $(filter-out %/main.c,$(SAVE_HELPER_SRC))
ARCHIVES += SAVE_HELPER_LIB

# Where Xen's packages put the stock helper. Debian's xenlight.pc does not
# say; there it is a directory named for Xen's release.
XEN_LIBEXEC_BIN = $(or $(shell pkg-config --variable=libexec_bin xenlight), \
    /usr/lib/xen-$(shell pkg-config --modversion xenlight | \
    cut -d. -f1-2)/bin)
$(BUILD)/obj/$(SAVE_HELPER_DIR)/stock.o: EXTRA_CFLAGS = \
    -DXEN_LIBEXEC_BIN='"$(strip $(XEN_LIBEXEC_BIN))"'

# The program with an engine that the test directs.
TEST_PROGS += xl-save-helper-fake
xl-save-helper-fake_SRC := $(SAVE_HELPER_SRC) tests/unit/save-helper/fake_engine.c \
    tests/unit/fake_xenstore.c
xl-save-helper-fake_LIBS = $(xl-save-helper_LIBS)
