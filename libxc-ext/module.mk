# SPDX-License-Identifier: LGPL-2.1-or-later
# Every .c file of the library's rooms belongs to libxcext.
LIB_SRC += $(sort $(wildcard libxc-ext/*/*.c))
