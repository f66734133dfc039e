# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The one Makefile: non-recursive. Each room adds its files through a
# module.mk of its own, which may use the helpers defined here. Everything
# that is made goes under $(BUILD). `make help` lists the targets.

BUILD      ?= build
PREFIX     ?= /usr/local
DESTDIR    ?=
SYSCONFDIR ?= $(if $(filter /usr /usr/local,$(PREFIX)),/etc,$(PREFIX)/etc)
V          ?= 0
Q          := $(if $(filter 0,$(V)),@)
say         = $(if $(filter 0,$(V)),@printf '  %-7s %s\n' $(1) $(2))

# ---- what Debian must provide ------------------------------------------
# Lists by purpose; `make deps` installs what is missing of all of them, tests
# what they need, and `make all` nothing.
DEB_BUILD := gcc libc6-dev make pkg-config libxen-dev libyajl-dev
DEB_CHECK := libcmocka-dev python3 spin
DEB_LINT  := clang-format cppcheck shellcheck pyflakes3 universal-ctags
DEB_LAB   := qemu-system-x86 openssh-client dpkg-dev flex bison libelf-dev \
             xz-utils cpio qemu-utils

CC      ?= gcc
AR      ?= ar
WERROR  ?= $(if $(CI),-Werror)
WARN    := -Wall -Wextra -Wshadow -Wvla -Wmissing-prototypes $(WERROR)
OPT     ?= -O2 -g
SANFLAGS ?=
# Checks of glibc's that need an optimising compiler, and not the sanitizers'
# own; a distribution's level, in CFLAGS, counts.
FORTIFY = $(if $(SANFLAGS)$(filter -O0,$(OPT)),,$(if \
    $(findstring _FORTIFY_SOURCE,$(CFLAGS) $(OPT)),, \
    -D_FORTIFY_SOURCE=2))
CFLAGS_ALL = -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(OPT) $(WARN) \
             -fvisibility=hidden -fstack-protector-strong $(FORTIFY) \
             $(SANFLAGS) -MMD -MP $(CFLAGS)
LDFLAGS_ALL = $(SANFLAGS) -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS)

# pkg(NAMES): compiler flags; pkglibs(NAMES): linker flags. Evaluated late,
# so that `make deps` works on a machine that has nothing yet.
pkg     = $(shell pkg-config --cflags $(1))
pkglibs = $(shell pkg-config --libs $(1))

# ---- collected from the rooms ------------------------------------------
# LIB_SRC         sources of libxcext
# ARCHIVES        names of variables that name static archives of the programs'
#                 modules, for their tests: each NAME has NAME_SRC
# PROGS           programs to install: each NAME has NAME_SRC, NAME_ARCHIVES,
#                 NAME_LIBS and NAME_DIR (where it is installed, below PREFIX)
# TEST_PROGS      further programs that only the tests need
# UNIT_TESTS      unit test binaries, ROOM/test_NAME (found by wildcard)
LIB_SRC    :=
ARCHIVES   :=
PROGS      :=
TEST_PROGS :=
QUICK_TESTS :=
LAB_TESTS  :=
FUZZ_TESTS :=
SLOW_TESTS :=

LIB  := $(BUILD)/lib/libxcext.a
# What objects depend on that have installed folders compiled in.
PLACES := $(BUILD)/obj/places
objs  = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

XCEXT_PKGS := xencontrol xenguest xenforeignmemory xencall xendevicemodel \
              xenevtchn xentoollog

.DEFAULT_GOAL := all

include libxc-ext/module.mk
include xl-plugin/module.mk
include configs/module.mk
include $(sort $(wildcard tests/*/module.mk))

# ---- building ----------------------------------------------------------
.PHONY: all
all: deps-named
	$(Q)$(MAKE) --no-print-directory all-built

.PHONY: all-built
all-built: $(LIB) $(PROGS:%=$(BUILD)/bin/%)

# Written anew only when what it says has changed.
$(PLACES): FORCE
	@mkdir -p $(@D)
	@echo '$(PREFIX) $(SYSCONFDIR)' | cmp -s - $@ || \
	    echo '$(PREFIX) $(SYSCONFDIR)' >$@

.PHONY: FORCE
FORCE:

$(BUILD)/obj/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -Ilibxc-ext/include $(if $(filter \
	    libxc-ext/% tests/%,$<),-Ilibxc-ext) $(if $(filter \
	    xl-plugin/% tests/%,$<),-Ixl-plugin) $(if $(filter \
	    tests/%,$<),-Itests) $(EXTRA_CFLAGS) -c -o $@ $<

$(LIB): $(call objs,$(LIB_SRC))
$(foreach a,$(ARCHIVES),$(eval $($(a)): $(call objs,$($(a)_SRC))))
$(LIB) $(foreach a,$(ARCHIVES),$($(a))):
	$(call say,AR,$@)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

define prog_rule
$(BUILD)/bin/$(1): $$(call objs,$$($(1)_SRC)) $$($(1)_ARCHIVES) $$(LIB)
	$$(call say,LINK,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(LDFLAGS_ALL) -o $$@ $$(call objs,$$($(1)_SRC)) \
	    $$($(1)_ARCHIVES) $$(LIB) $$($(1)_LIBS) \
	    $$(call pkglibs,$$(XCEXT_PKGS)) -lpthread
endef
$(foreach p,$(PROGS) $(TEST_PROGS),$(eval $(call prog_rule,$(p))))

.PHONY: install uninstall
install: all
	$(foreach p,$(PROGS),install -D -m 755 $(BUILD)/bin/$(p) \
	    $(DESTDIR)$(PREFIX)/$($(p)_DIR)/$(p) &&) true
	$(LIB_INSTALL)
	$(CONFIGS_INSTALL)

uninstall:
	rm -f $(foreach p,$(PROGS),$(DESTDIR)$(PREFIX)/$($(p)_DIR)/$(p))
	$(LIB_UNINSTALL)
	$(CONFIGS_UNINSTALL)

# ---- testing ------------------------------------------------------------
# A suite is a list of executables that print TAP or cmocka's own lines;
# tests/harness/run-tests runs them, adds up, and prints one closing line.
# QUICK_TESTS needs neither root nor the lab; LAB_TESTS is the lab's standard
# suite; SLOW_TESTS only run in check-all.
TEST_TIMEOUT_S ?= 1800
run-tests = tests/harness/run-tests --timeout $(TEST_TIMEOUT_S) \
            --logs $(BUILD)/tests/logs --build $(BUILD)

UNIT_BINS := $(UNIT_TESTS:%=$(BUILD)/tests/unit/%)

.PHONY: check check-quick check-lab check-all tests-built
tests-built: all-built $(UNIT_BINS) $(TEST_PROGS:%=$(BUILD)/bin/%)

check-quick: deps-check
	$(Q)$(MAKE) --no-print-directory tests-built
	$(Q)$(run-tests) $(UNIT_BINS) $(QUICK_TESTS)

check-lab: deps-lab
	$(Q)$(MAKE) --no-print-directory tests-built lab-built
	$(Q)$(run-tests) $(LAB_TESTS)

check: deps-check deps-lab
	$(Q)$(MAKE) --no-print-directory tests-built lab-built
	$(Q)$(run-tests) $(UNIT_BINS) $(QUICK_TESTS) $(FUZZ_TESTS) $(LAB_TESTS)

check-all: TEST_TIMEOUT_S = 14400
check-all: deps-check deps-lab
	$(Q)$(MAKE) --no-print-directory tests-built lab-built
	$(Q)$(run-tests) $(UNIT_BINS) $(QUICK_TESTS) $(FUZZ_TESTS) $(LAB_TESTS) \
	    $(SLOW_TESTS)

check-asan: deps-check
	$(Q)$(MAKE) --no-print-directory check-quick BUILD=$(BUILD)/asan \
	    OPT='-O1 -g -fno-omit-frame-pointer' \
	    SANFLAGS='-fsanitize=address,undefined -fno-sanitize-recover=all'

.PHONY: coverage
coverage: deps-check
	$(Q)tests/harness/deps gcovr
	$(Q)$(MAKE) --no-print-directory check-quick BUILD=$(BUILD)/coverage \
	    OPT='-O0 -g' SANFLAGS=--coverage
	$(Q)gcovr --root . --filter 'libxc-ext/' --filter 'xl-plugin/' \
	    $(BUILD)/coverage/obj

# ---- what must be there first ------------------------------------------
# Only tests install packages by themselves: `make all` names what is missing,
# unless this is no Debian, or DEPS_NAMED is empty (a packager's build).
DEPS_NAMED ?= $(shell command -v dpkg-query)
.PHONY: deps deps-named deps-check deps-lint deps-lab
deps:
	$(Q)tests/harness/deps $(DEB_BUILD) $(DEB_CHECK) $(DEB_LINT) $(DEB_LAB)
deps-named:
	$(if $(DEPS_NAMED),$(Q)tests/harness/deps --name-only $(DEB_BUILD))
deps-check:
	$(Q)tests/harness/deps $(DEB_BUILD) $(DEB_CHECK)
deps-lint:
	$(Q)tests/harness/deps $(DEB_LINT)
deps-lab:
	$(Q)tests/harness/deps $(DEB_BUILD) $(DEB_CHECK) $(DEB_LAB)

# ---- the rest of the housekeeping --------------------------------------
.PHONY: lint format clean help
lint: deps-lint
	$(Q)tests/harness/lint

format: deps-lint
	$(Q)git ls-files -co --exclude-standard '*.c' '*.h' | \
	    xargs -r clang-format -i

clean:
	$(Q)if [ -x tests/lab/lab ] && [ -d $(BUILD)/lab ]; then \
	    tests/lab/lab down --all; fi
	rm -rf $(addprefix $(BUILD)/,obj lib bin tests fuzz model sim asan \
	    coverage)

help:
	@sed -n 's/^## //p' Makefile

## make demo         bring the lab up, live-migrate a guest there and back
## make check        unit tests, simulator, and the lab's standard suite
## make check-quick  what needs neither the lab nor, packages apart, root
## make check-lab    the lab's standard suite alone
## make check-all    every test there is
## make check-asan   check-quick under the address sanitizer
## make all          the library and the programs
## make deps         install what all of this needs (Debian)
## make install      install them; make uninstall removes them
## make lint         style, arrows between the rooms, static analysis
## make format       run clang-format over the tree
## make bench        measure against stock in the simulator
## make bench-lab    measure against stock in the lab
## make fuzz         run the fuzzers
## make model        search the handover's models with spin
## make coverage     line coverage of check-quick
## make deps         install what is missing from Debian's packages
## make clean        remove what was built (downloads are kept)
## Variables: V=1 (show commands), BUILD=dir, DESTDIR, PREFIX, SYSCONFDIR, CI=1

-include $(shell [ -d $(BUILD)/obj ] && find $(BUILD)/obj -name '*.d')
