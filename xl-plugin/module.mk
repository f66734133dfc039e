# SPDX-License-Identifier: LGPL-2.1-or-later
# The programs. Each room below adds itself to PROGS in its own module.mk.
include $(sort $(wildcard xl-plugin/*/module.mk))
