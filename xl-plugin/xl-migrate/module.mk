# SPDX-License-Identifier: LGPL-2.1-or-later
# xl-migrate: the command of administrators.
XL_MIGRATE_VERSION ?= 0.1
XL_MIGRATE_DIR := xl-plugin/xl-migrate
XL_MIGRATE_SRC := $(sort $(wildcard $(XL_MIGRATE_DIR)/*.c))

PROGS += xl-migrate
xl-migrate_SRC := $(XL_MIGRATE_SRC) $(COMMON_SRC)
xl-migrate_LIBS = $(COMMON_LIBS) $(QEMU_DISKS_LIBS) $(call pkglibs,xenlight)
xl-migrate_DIR := sbin

$(addprefix $(BUILD)/obj/$(XL_MIGRATE_DIR)/,main.o cmd_check.o cmd_receive.o send_check.o): \
    EXTRA_CFLAGS = -DXL_MIGRATE_VERSION='"$(XL_MIGRATE_VERSION)"'
# What xl is told to restore with.
$(BUILD)/obj/$(XL_MIGRATE_DIR)/receive_copy.o: $(PLACES)
$(BUILD)/obj/$(XL_MIGRATE_DIR)/receive_copy.o: EXTRA_CFLAGS = \
    -DXL_SAVE_HELPER='"$(PREFIX)/$(xl-save-helper_DIR)/xl-save-helper"'

migrate_src = $(addprefix $(XL_MIGRATE_DIR)/,$(1))
# Facts and findings, without libxl.
FACTS_SRC := $(call migrate_src,facts.c facts_host_json.c facts_json.c \
    facts_path.c facts_ports.c facts_qemu_version.c facts_xl.c facts_stock.c \
    json.c message.c)
test_facts_xl_SRC := $(call migrate_src,facts_xl.c)
test_facts_path_SRC := $(call migrate_src,facts_path.c)
test_facts_ports_SRC := $(call migrate_src,facts_ports.c)
test_facts_autostart_SRC := $(call migrate_src,facts_autostart.c)
test_facts_autostart_LIBS = $(COMMON_LIBS)
test_facts_qemu_SRC := $(call migrate_src,facts_path.c facts_qemu.c \
    facts_qemu_version.c lines.c spawn.c) $(call common_src,qmp.c)
CHECK_SRC := $(call migrate_src,check.c check_devices.c check_ids.c \
    check_print.c check_sched.c check_target.c lines.c) $(FACTS_SRC)
test_check_SRC := $(CHECK_SRC) tests/unit/check_sample.c \
    tests/unit/check_trial.c
test_check_devices_SRC := $(test_check_SRC)
test_check_sched_SRC := $(test_check_SRC)
test_check_print_SRC := $(call migrate_src,check_ids.c check_print.c json.c \
    lines.c)
test_check_ids_SRC := $(call migrate_src,check_ids.c)
test_facts_SRC := $(FACTS_SRC) tests/unit/check_sample.c
ASK_SRC := $(call migrate_src,channel.c lines.c log_limit.c spawn.c \
    transport_ssh.c)
test_facts_ask_SRC := $(call migrate_src,facts_ask.c) $(FACTS_SRC) $(ASK_SRC) \
    tests/unit/check_sample.c
test_probe_link_SRC := $(call migrate_src,probe.c) $(ASK_SRC) \
    $(call migrate_src,json.c message.c)
test_precheck_SRC := $(call migrate_src,precheck.c precheck_print.c \
    forecast.c) $(CHECK_SRC) tests/unit/check_sample.c
test_send_check_SRC := $(call migrate_src,send_check.c precheck_print.c \
    forecast.c report.c) $(CHECK_SRC) $(CONFIG_SRC) \
    $(call common_src,record_prune.c)
test_send_check_LIBS = $(COMMON_LIBS)
test_forecast_SRC := $(call migrate_src,forecast.c)
test_facts_gather_SRC := $(call migrate_src,facts_guest.c facts_host.c \
    facts_autostart.c facts_qemu.c guest_keys.c lines.c source_keys_read.c \
    spawn.c vif_script.c xenstore.c) $(FACTS_SRC) $(QEMU_DISKS_SRC)
test_facts_gather_LIBS = $(COMMON_LIBS) $(QEMU_DISKS_LIBS) \
    $(call pkglibs,xenlight xenstore)

# Asking a running send, and being asked.
STATUS_SRC := $(call migrate_src,status.c message.c json.c) $(CONFIG_SRC)
CONTROL_SRC := $(call migrate_src,control.c control_address.c) $(STATUS_SRC) \
    $(DIRECTORY_SRC)
RUNNING_SRC := $(call migrate_src,control_call.c running.c running_record.c \
    channel.c lines.c)
test_options_SRC := $(call migrate_src,options.c) $(CONFIG_SRC)
test_options_LIBS = $(COMMON_LIBS)
test_progress_SRC := $(call migrate_src,progress.c) $(STATUS_SRC)
test_progress_LIBS = $(COMMON_LIBS)
test_status_SRC := $(STATUS_SRC)
test_status_LIBS = $(COMMON_LIBS)
test_control_SRC := $(CONTROL_SRC)
test_control_LIBS = $(COMMON_LIBS)
test_running_record_SRC := $(call migrate_src,running_record.c) $(STATUS_SRC)
test_running_record_LIBS = $(COMMON_LIBS)
test_control_commands_SRC := $(CONTROL_SRC) $(RUNNING_SRC) \
    $(RECORD_SRC) $(call migrate_src,cmd_cancel.c \
    cmd_status.c cmd_tune.c options.c)
test_control_commands_LIBS = $(COMMON_LIBS)
test_guest_name_SRC := $(call migrate_src,guest_name.c) \
    tests/unit/fake_xenstore.c
test_hooks_SRC := $(call migrate_src,hooks.c lines.c spawn.c) \
    $(call common_src,safe_path.c)
test_spawn_SRC := $(call migrate_src,spawn.c)
test_spawn_LIBS := -Wl,--wrap=malloc -Wl,--wrap=putenv
test_log_limit_SRC := $(call migrate_src,log_limit.c)
test_log_limit_LIBS := -Wl,--wrap=clock_gettime
test_xl_header_SRC := $(call migrate_src,xl_header.c) \
    tests/unit/saved_sample.c tests/unit/stream_sample.c
test_xl_config_SRC := $(call migrate_src,xl_config.c) \
    tests/unit/saved_sample.c tests/unit/stream_sample.c
test_domain_SRC := $(call migrate_src,domain.c) tests/unit/fake_xenlight.c \
    tests/unit/fake_xenstore.c
test_domain_LIBS = $(call pkglibs,xenlight)
test_suspend_SRC := $(call migrate_src,suspend.c) tests/unit/fake_xenstore.c
test_send_hold_SRC := $(call migrate_src,send_hold.c)
test_send_same_SRC := $(call migrate_src,lines.c send_same.c) \
    tests/unit/fake_xenstore.c
test_guest_watch_SRC := $(call migrate_src,guest_watch.c) \
    tests/unit/fake_xenstore.c
test_guest_keys_SRC := $(call migrate_src,guest_keys.c)
test_xenstore_SRC := $(call migrate_src,xenstore.c) tests/unit/fake_xenstore.c
test_source_keys_SRC := $(call migrate_src,guest_keys.c source_keys_read.c \
    xenstore.c) tests/unit/fake_xenstore.c
test_device_model_SRC := $(call migrate_src,device_model.c) \
    $(call common_src,qmp.c) tests/unit/fake_qemu.c
test_libxl_write_SRC := $(call migrate_src,libxl_write.c libxl_stream.c \
    xl_header.c)
test_monitor_SRC := $(call migrate_src,facts_xl.c monitor.c monitor_start.c \
    xl_memory.c) tests/unit/fake_xenlight.c
test_xl_memory_SRC := $(call migrate_src,facts_xl.c xl_memory.c) \
    tests/unit/fake_xenlight.c
test_xl_memory_LIBS = $(call pkglibs,xenlight)
test_monitor_LIBS = $(call pkglibs,xenlight)
test_libxl_stream_SRC := $(call migrate_src,libxl_stream.c) \
    tests/unit/saved_sample.c tests/unit/stream_sample.c
test_handover_SRC := $(call migrate_src,handover.c)
test_handover_world_SRC := $(call migrate_src,handover.c)
test_journal_SRC := $(call migrate_src,journal.c journal_line.c handover.c)
test_journal_LIBS := -Wl,--wrap=fsync -Wl,--wrap=fallocate64
test_journal_line_SRC := $(call migrate_src,journal.c journal_line.c \
    handover.c) tests/unit/case_sample.c
HANDOVER_RUN_SRC := $(call migrate_src,handover_run.c handover.c journal.c \
    journal_line.c)
test_handover_run_SRC := $(HANDOVER_RUN_SRC) tests/unit/case_sample.c
SETTLE_SRC := $(call migrate_src,settle.c) $(HANDOVER_RUN_SRC)
test_settle_SRC := $(SETTLE_SRC) tests/unit/case_sample.c \
    tests/unit/settle_world.c
test_settle_waits_SRC := $(test_settle_SRC)
test_peer_stock_SRC := $(call migrate_src,handover.c lines.c peer_stock.c \
    log_limit.c remote_shell.c spawn.c stock_list.c transport_ssh.c \
    xl_answers.c)
test_send_session_SRC := $(CONTROL_SRC) $(HANDOVER_RUN_SRC) $(call \
    migrate_src,cases.c drain.c guest_watch.c lines.c progress.c report.c \
    send_hold.c send_session.c spawn.c log_limit.c transport_ssh.c) \
    $(call common_src,cancel.c) $(RECORD_SRC) tests/unit/fake_xenstore.c
test_send_session_LIBS = $(COMMON_LIBS)
test_send_config_SRC := $(call migrate_src,send_config.c lines.c spawn.c)
test_remote_shell_SRC := $(call migrate_src,lines.c remote_shell.c spawn.c \
    log_limit.c transport_ssh.c)
test_send_stream_SRC := $(call migrate_src,send_stream.c xl_answers.c)
test_send_stream_LIBS := -Wl,--wrap=xcx_save
test_drain_SRC := $(call migrate_src,drain.c)
test_peer_times_SRC := $(call migrate_src,peer.c)
test_recover_SRC := $(SETTLE_SRC) $(call migrate_src,cases.c \
    cases_incoming.c lines.c recover.c recover_tell.c rendezvous.c \
    source_domain.c guest_keys.c source_keys.c source_keys_read.c spawn.c \
    target_domain.c log_limit.c transport_ssh.c) \
    $(DIRECTORY_SRC) tests/unit/recover_world.c
test_recover_LIBS := -Wl,--wrap=xcx_settle
test_recover_cases_SRC := $(test_recover_SRC)
test_recover_cases_LIBS := $(test_recover_LIBS)
test_recover_resume_SRC := $(test_recover_SRC) $(call migrate_src,\
    recover_resume.c)
test_recover_resume_LIBS := $(test_recover_LIBS)
test_recover_list_SRC := $(DIRECTORY_SRC) $(call migrate_src,cases.c \
    handover.c journal.c \
    journal_line.c json.c lines.c recover_list.c target_domain.c) \
    tests/unit/case_sample.c
test_recover_options_SRC := $(call migrate_src,cmd_recover.c)
test_send_outcome_SRC := $(call migrate_src,cases.c drain.c lines.c \
    progress.c report.c send.c send_outcome.c send_session.c source_domain.c \
    guest_keys.c source_keys.c source_keys_read.c spawn.c log_limit.c \
    transport_ssh.c) $(SETTLE_SRC) $(CONTROL_SRC) \
    $(call common_src,cancel.c) $(RECORD_SRC) tests/unit/case_sample.c \
    tests/unit/send_world.c
test_send_outcome_LIBS = $(COMMON_LIBS) -Wl,--wrap=xcx_settle
test_send_early_SRC := $(test_send_outcome_SRC)
test_send_early_LIBS = $(test_send_outcome_LIBS)
test_report_SRC := $(call migrate_src,report.c json.c lines.c) \
    $(call common_src,record_prune.c)
test_stock_list_SRC := $(call migrate_src,stock_list.c)
test_cases_incoming_SRC := $(DIRECTORY_SRC) $(call migrate_src,cases.c cases_incoming.c \
    handover.c journal.c journal_line.c) tests/unit/case_sample.c
test_cases_SRC := $(DIRECTORY_SRC) $(call migrate_src,cases.c handover.c journal.c \
    journal_line.c) tests/unit/case_sample.c
test_cases_LIBS := -Wl,--wrap=flock
test_settle_crash_SRC := $(SETTLE_SRC) tests/unit/case_sample.c
test_settle_crash_LIBS := -Wl,--wrap=fsync
# All that inspects, without the program around it.
INSPECT_SRC := $(call migrate_src,inspect.c inspect_json.c inspect_names.c \
    inspect_text.c json.c libxl_stream.c xl_config.c xl_header.c)
test_inspect_SRC := $(INSPECT_SRC) \
    tests/unit/saved_sample.c tests/unit/stream_sample.c
CHANNEL_SRC := $(call migrate_src,channel.c lines.c message.c json.c)
test_channel_SRC := $(CHANNEL_SRC)
test_keepalive_SRC := $(CHANNEL_SRC) $(call migrate_src,keepalive.c)
test_peer_plugin_SRC := $(CHANNEL_SRC) $(HANDOVER_RUN_SRC) $(call migrate_src, \
    keepalive.c peer.c peer_compose.c peer_parse.c peer_plugin.c peer_stock.c \
    log_limit.c remote_shell.c spawn.c stock_list.c transport_ssh.c xenstore.c \
    xl_answers.c)
test_peer_plugin_LIBS = $(call pkglibs,xenstore) -Wl,--wrap=clock_gettime \
    -Wl,--wrap=write -Wl,--wrap=read
test_transport_ssh_SRC := $(call migrate_src,lines.c log_limit.c spawn.c \
    transport_ssh.c)
test_xl_receiver_SRC := $(call migrate_src,xl_receiver.c xl_answers.c spawn.c \
    lines.c)
test_rendezvous_SRC := $(call migrate_src,rendezvous.c) \
    $(DIRECTORY_SRC)
test_announce_SRC := $(call migrate_src,announce.c announce_rounds.c)
test_vif_script_SRC := $(call migrate_src,vif_script.c)

# receive on domains that the test directs (fake_target.c).
TEST_PROGS += xl-migrate-receive-fake
xl-migrate-receive-fake_SRC := $(HANDOVER_RUN_SRC) $(CHANNEL_SRC) \
    $(CONFIG_SRC) $(DIRECTORY_SRC) $(call migrate_src, \
    announce_rounds.c cases.c cases_incoming.c cmd_receive.c guest_keys.c keepalive.c receive.c receive_case.c receive_copy.c \
    receive_keys.c receive_step.c rendezvous.c restore_helper.c spawn.c \
    target_domain.c xenstore.c xl_answers.c xl_receiver.c) tests/unit/fake_target.c
xl-migrate-receive-fake_LIBS = $(COMMON_LIBS) $(call pkglibs,xenstore) \
    -Wl,--wrap=xenstore_write
FAKE_SOURCE_SRC := $(CHANNEL_SRC) $(call migrate_src,spawn.c) \
    tests/unit/fake_source.c
test_receive_SRC := $(FAKE_SOURCE_SRC)
test_receive_broken_SRC := $(FAKE_SOURCE_SRC) $(call migrate_src,handover.c \
    rendezvous.c) \
    $(DIRECTORY_SRC)
