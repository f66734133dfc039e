# SPDX-License-Identifier: LGPL-2.1-or-later
# What both programs share: settings, records of what runs, stopping. Linked
# into each of them.
COMMON_DIR := xl-plugin/common
COMMON_SRC := $(sort $(wildcard $(COMMON_DIR)/*.c))
COMMON_LIBS = $(call pkglibs,xlutil)
QEMU_DISKS_LIBS = $(call pkglibs,xenstore xengnttab)

# Installed below SYSCONFDIR.
$(BUILD)/obj/$(COMMON_DIR)/config.o: $(PLACES)
$(BUILD)/obj/$(COMMON_DIR)/config.o: EXTRA_CFLAGS = \
    -DCONFIG_DEFAULT_PATH='"$(SYSCONFDIR)/xen/xl-migrate.conf"'

common_src = $(addprefix $(COMMON_DIR)/,$(1))
CONFIG_SRC := $(call common_src,config.c config_lines.c config_value.c)
test_config_SRC := $(CONFIG_SRC)
test_config_LIBS = $(COMMON_LIBS)
DIRECTORY_SRC := $(call common_src,directory.c safe_path.c)
RECORD_SRC := $(call common_src,record.c record_prune.c)
test_record_SRC := $(RECORD_SRC) $(DIRECTORY_SRC)
test_safe_path_SRC := $(DIRECTORY_SRC)
test_cancel_SRC := $(call common_src,cancel.c)
test_guardian_SRC := $(call common_src,guardian.c saver.c) \
    tests/unit/fake_xenstore.c
test_guardian_LIBS := -Wl,--wrap=xcx_lift_cap -Wl,--wrap=xcx_settle \
    -Wl,--wrap=xcx_run_state -Wl,--wrap=saver_refuse
test_saver_SRC := $(call common_src,saver.c)
QEMU_DISKS_SRC := $(call common_src,qemu_disks.c qmp.c ring.c)
test_qemu_disks_SRC := $(QEMU_DISKS_SRC) tests/unit/fake_qemu.c \
    tests/unit/fake_xenstore.c
