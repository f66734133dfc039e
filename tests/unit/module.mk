# SPDX-License-Identifier: LGPL-2.1-or-later
# One cmocka binary a module, in its room's folder: tests/unit/ROOM/test_NAME.c.
# It links against libxcext and the program's modules (an archive: what the test
# or its fakes define replaces the module of that name), and against the
# fakes and samples that it lists in test_NAME_SRC. Those of several rooms lie
# here, others in their room.
UNIT_TESTS := $(patsubst tests/unit/%.c,%,$(sort \
    $(wildcard tests/unit/*/test_*.c)))
UNIT_LIBS = $(COMMON_LIBS) $(JSON_LIBS) $(QEMU_DISKS_LIBS) \
    $(call pkglibs,xenlight) \
    $(call pkglibs,$(XCEXT_PKGS) cmocka) -lm -lpthread
unit_archive = $(if $(filter save-helper/%,$(1)),$(SAVE_HELPER_LIB), \
    $(XL_MIGRATE_LIB))

unit = $(patsubst %,tests/unit/%.c,$(1))
test_check_SRC := $(call unit,check_sample check/check_trial)
test_check_devices_SRC := $(call unit,check_sample check/check_trial)
test_check_sched_SRC := $(call unit,check_sample check/check_trial)
test_facts_ask_SRC := $(call unit,check_sample)
test_precheck_SRC := $(call unit,check_sample)
test_guardian_SRC := $(call unit,fake_xenstore)
test_guardian_LIBS := -Wl,--wrap=xcx_lift_cap \
    -Wl,--wrap=xcx_settle_with -Wl,--wrap=xcx_run_state \
    -Wl,--wrap=saver_refuse -Wl,--wrap=qemu_log_dirty_end
test_qemu_log_dirty_SRC := $(call unit,fake_qemu fake_xenstore)
test_qemu_log_dirty_LIBS := -Wl,--wrap=saver_find
test_pv_save_LIBS := -Wl,--wrap=xcx_domain_guest_width
test_qemu_disks_SRC := $(call unit,fake_qemu fake_xenstore)
test_spawn_LIBS := -Wl,--wrap=malloc -Wl,--wrap=putenv
test_device_model_SRC := $(call unit,fake_qemu)
test_domain_SRC := $(call unit,domain/fake_xenlight fake_xenstore)
test_guest_name_SRC := $(call unit,fake_xenstore)
test_guest_watch_SRC := $(call unit,fake_xenstore)
test_monitor_SRC := $(call unit,domain/fake_xenlight)
test_suspend_SRC := $(call unit,fake_xenstore)
test_xenstore_SRC := $(call unit,fake_xenstore)
test_xl_memory_SRC := $(call unit,domain/fake_xenlight)
test_restore_footprint_SRC := $(call unit,restore_sample fake_xen)
test_restore_hostile_SRC := $(call unit,restore_sample fake_xen)
test_restore_memory_SRC := $(call unit,restore_sample fake_xen)
test_restore_stream_SRC := $(call unit,restore_sample fake_xen)
test_restore_tables_SRC := $(call unit,restore_sample fake_xen)
test_facts_SRC := $(call unit,check_sample)
test_libxl_stream_SRC := $(call unit,saved_sample stream_sample)
test_xl_config_SRC := $(call unit,saved_sample stream_sample)
test_xl_header_SRC := $(call unit,saved_sample stream_sample)
test_cases_SRC := $(call unit,case_sample)
test_cases_LIBS := -Wl,--wrap=flock
test_cases_incoming_SRC := $(call unit,case_sample)
test_handover_run_SRC := $(call unit,case_sample)
test_journal_LIBS := -Wl,--wrap=fsync -Wl,--wrap=fallocate64
test_journal_line_SRC := $(call unit,case_sample)
test_inspect_SRC := $(call unit,saved_sample stream_sample)
test_peer_plugin_LIBS := -Wl,--wrap=clock_gettime -Wl,--wrap=write \
    -Wl,--wrap=read
test_receive_SRC := $(call unit,receive/fake_source)
test_receive_broken_SRC := $(call unit,receive/fake_source)
test_recover_SRC := $(call unit,recover/recover_world)
test_recover_LIBS := -Wl,--wrap=xcx_settle
test_recover_cases_SRC := $(call unit,recover/recover_world)
test_recover_cases_LIBS := -Wl,--wrap=xcx_settle
test_recover_list_SRC := $(call unit,case_sample)
test_recover_resume_SRC := $(call unit,recover/recover_world)
test_recover_resume_LIBS := -Wl,--wrap=xcx_settle
test_settle_SRC := $(call unit,case_sample recover/settle_world)
test_settle_crash_SRC := $(call unit,case_sample)
test_settle_crash_LIBS := -Wl,--wrap=fsync
test_settle_waits_SRC := $(call unit,case_sample recover/settle_world)
test_source_keys_SRC := $(call unit,fake_xenstore)
test_helper_program_SRC := $(call unit,save-helper/fake_libxl)
test_helper_restore_SRC := $(call unit,save-helper/fake_libxl)
test_send_early_SRC := $(call unit,case_sample send/send_world)
test_send_early_LIBS := -Wl,--wrap=xcx_settle
test_send_outcome_SRC := $(call unit,case_sample send/send_world)
test_send_outcome_LIBS := -Wl,--wrap=xcx_settle
test_send_same_SRC := $(call unit,fake_xenstore)
test_send_session_SRC := $(call unit,fake_xenstore)
test_send_stream_LIBS := -Wl,--wrap=xcx_save
test_stream_inspect_SRC := $(call unit,stream_sample saved_sample)
test_stream_malformed_SRC := $(call unit,stream_sample)
test_stream_reader_SRC := $(call unit,stream_sample)
test_log_limit_LIBS := -Wl,--wrap=clock_gettime

define unit_rule
$(BUILD)/tests/unit/$(1): $$(call objs,tests/unit/$(1).c \
    tests/unit/scratch.c $$($(notdir $(1))_SRC)) $(call unit_archive,$(1)) \
    $$(LIB)
	$$(call say,LINK,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(LDFLAGS_ALL) -o $$@ $$(filter %.o,$$^) \
	    $(call unit_archive,$(1)) $$(LIB) $$($(notdir $(1))_LIBS) \
	    $$(UNIT_LIBS)
endef
$(foreach t,$(UNIT_TESTS),$(eval $(call unit_rule,$(t))))
