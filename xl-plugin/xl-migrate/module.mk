# SPDX-License-Identifier: LGPL-2.1-or-later
# xl-migrate: the command of administrators.
XL_MIGRATE_VERSION ?= 0.1
XL_MIGRATE_DIR := xl-plugin/xl-migrate
XL_MIGRATE_SRC := $(sort $(wildcard $(XL_MIGRATE_DIR)/*/*.c))

PROGS += xl-migrate
xl-migrate_SRC := $(XL_MIGRATE_SRC) $(COMMON_SRC)
xl-migrate_LIBS = $(COMMON_LIBS) $(JSON_LIBS) $(QEMU_DISKS_LIBS) \
    $(call pkglibs,xenlight)
xl-migrate_DIR := sbin

# Everything but main(), for the tests.
XL_MIGRATE_LIB := $(BUILD)/lib/xl-migrate.a
XL_MIGRATE_LIB_SRC := $(filter-out %/main.c,$(XL_MIGRATE_SRC)) $(COMMON_SRC)
ARCHIVES += XL_MIGRATE_LIB

$(addprefix $(BUILD)/obj/$(XL_MIGRATE_DIR)/,cli/main.o cli/cmd_check.o \
    cli/cmd_receive.o send/send_check.o): \
    EXTRA_CFLAGS = -DXL_MIGRATE_VERSION='"$(XL_MIGRATE_VERSION)"'
# What xl is told to restore with.
$(BUILD)/obj/$(XL_MIGRATE_DIR)/receive/receive_copy.o: $(PLACES)
$(BUILD)/obj/$(XL_MIGRATE_DIR)/receive/receive_copy.o: EXTRA_CFLAGS = \
    -DXL_SAVE_HELPER='"$(PREFIX)/$(xl-save-helper_DIR)/xl-save-helper"'

# receive on domains that the test directs.
TEST_PROGS += xl-migrate-receive-fake
xl-migrate-receive-fake_SRC := tests/unit/receive/fake_target.c
xl-migrate-receive-fake_ARCHIVES := $(XL_MIGRATE_LIB)
xl-migrate-receive-fake_LIBS = $(xl-migrate_LIBS) -Wl,--wrap=xenstore_write
