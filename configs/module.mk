# SPDX-License-Identifier: LGPL-2.1-or-later
# What gets installed besides the programs: the configuration, which is never
# overwritten and only removed unchanged, and the manual pages.
CONFIG_FILE := $(DESTDIR)$(SYSCONFDIR)/xen/xl-migrate.conf
MAN_PAGES := $(sort $(wildcard xl-plugin/man/*.[1-8]))
man_path = $(DESTDIR)$(PREFIX)/share/man/man$(subst .,,$(suffix $(1)))/$(notdir $(1))

define CONFIGS_INSTALL
[ -e $(CONFIG_FILE) ] || \
    install -D -m 644 configs/xl-migrate.conf $(CONFIG_FILE)
$(foreach m,$(MAN_PAGES),install -D -m 644 $(m) $(call man_path,$(m)) &&) true
endef

define CONFIGS_UNINSTALL
! cmp -s configs/xl-migrate.conf $(CONFIG_FILE) || rm -f $(CONFIG_FILE)
rm -f $(foreach m,$(MAN_PAGES),$(call man_path,$(m)))
endef
