# SPDX-License-Identifier: LGPL-2.1-or-later
# Every .c file of the library's rooms belongs to libxcext. It is installed as
# a static library, with its public headers and a file for pkg-config.
LIB_SRC += $(sort $(wildcard libxc-ext/*/*.c))
LIB_HEADERS := $(sort $(wildcard libxc-ext/include/*.h \
    libxc-ext/include/xcext/*.h))
LIB_DIR := $(DESTDIR)$(PREFIX)/lib
INCLUDE_DIR := $(DESTDIR)$(PREFIX)/include

define LIB_INSTALL
install -D -m 644 $(LIB) $(LIB_DIR)/libxcext.a
$(foreach h,$(LIB_HEADERS),install -D -m 644 $(h) \
    $(h:libxc-ext/include/%=$(INCLUDE_DIR)/%) &&) true
install -d -m 755 $(LIB_DIR)/pkgconfig
sed -e 's,@PREFIX@,$(PREFIX),' -e 's,@VERSION@,$(XL_MIGRATE_VERSION),' \
    -e 's,@PKGS@,$(XCEXT_PKGS),' libxc-ext/xcext.pc.in \
    >$(LIB_DIR)/pkgconfig/xcext.pc
chmod 644 $(LIB_DIR)/pkgconfig/xcext.pc
endef

define LIB_UNINSTALL
rm -f $(LIB_DIR)/libxcext.a $(LIB_DIR)/pkgconfig/xcext.pc \
    $(LIB_HEADERS:libxc-ext/include/%=$(INCLUDE_DIR)/%)
[ ! -d $(INCLUDE_DIR)/xcext ] || \
    rmdir --ignore-fail-on-non-empty $(INCLUDE_DIR)/xcext
endef
