# SPDX-License-Identifier: LGPL-2.1-or-later
# What both programs share: settings, records of what runs, stopping. Linked
# into each of them.
COMMON_DIR := xl-plugin/common
COMMON_SRC := $(sort $(wildcard $(COMMON_DIR)/*.c))
COMMON_LIBS = $(call pkglibs,xlutil)
JSON_LIBS = $(call pkglibs,yajl)
QEMU_DISKS_LIBS = $(call pkglibs,xenstore xengnttab)

# Installed below SYSCONFDIR.
$(BUILD)/obj/$(COMMON_DIR)/config.o: $(PLACES)
$(BUILD)/obj/$(COMMON_DIR)/config.o: EXTRA_CFLAGS = \
    -DCONFIG_DEFAULT_PATH='"$(SYSCONFDIR)/xen/xl-migrate.conf"'
