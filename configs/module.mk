# SPDX-License-Identifier: LGPL-2.1-or-later
# What gets installed besides the programs: the configuration, which is never
# overwritten and only removed unchanged, the manual pages, completion, a unit
# for systemd, an empty folder for hooks and an example of one.
CONFIG_FILE := $(DESTDIR)$(SYSCONFDIR)/xen/xl-migrate.conf
HOOKS_DIR := $(DESTDIR)$(SYSCONFDIR)/xen/xl-migrate.d
HOOK_EXAMPLES := $(sort $(wildcard configs/hooks/*))
EXAMPLES_DIR := $(DESTDIR)$(PREFIX)/share/doc/xl-migrate/hooks
COMPLETION := \
    $(DESTDIR)$(PREFIX)/share/bash-completion/completions/xl-migrate
# A folder where systemd looks, if PREFIX is /usr or /usr/local.
UNIT := $(DESTDIR)$(PREFIX)/lib/systemd/system/xl-migrate-recover.service
MAN_PAGES := $(sort $(wildcard xl-plugin/man/*.[1-8]))
man_path = $(DESTDIR)$(PREFIX)/share/man/man$(subst .,,$(suffix $(1)))/$(notdir $(1))

define CONFIGS_INSTALL
[ -e $(CONFIG_FILE) ] || \
    install -D -m 644 configs/xl-migrate.conf $(CONFIG_FILE)
$(foreach m,$(MAN_PAGES),install -D -m 644 $(m) $(call man_path,$(m)) &&) true
install -D -m 644 configs/xl-migrate.bash $(COMPLETION)
install -D -m 644 configs/xl-migrate-recover.service $(UNIT)
sed -i 's,=/usr/sbin/,=$(PREFIX)/$(xl-migrate_DIR)/,' $(UNIT)
install -d -m 755 $(HOOKS_DIR) $(EXAMPLES_DIR)
install -m 755 $(HOOK_EXAMPLES) $(EXAMPLES_DIR)
endef

define CONFIGS_UNINSTALL
! cmp -s configs/xl-migrate.conf $(CONFIG_FILE) || rm -f $(CONFIG_FILE)
rm -f $(foreach m,$(MAN_PAGES),$(call man_path,$(m))) $(COMPLETION) \
    $(UNIT)
rm -f $(HOOK_EXAMPLES:configs/hooks/%=$(EXAMPLES_DIR)/%)
for d in $(EXAMPLES_DIR) $(dir $(EXAMPLES_DIR)) $(HOOKS_DIR); do \
    [ ! -d $$d ] || rmdir --ignore-fail-on-non-empty $$d; done
endef

# What is installed says what the command's own help does.
QUICK_TESTS += tests/unit/test-completion tests/unit/test-documented \
    tests/unit/test-install tests/unit/test-waits tests/unit/test-closed-fds
