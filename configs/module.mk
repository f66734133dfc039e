# SPDX-License-Identifier: LGPL-2.1-or-later
# What gets installed besides the programs.
CONFIGS_INSTALL := true
CONFIGS_UNINSTALL := true
