/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* As test_check.c, of the guest's disks, NICs and device model. */
#include "check_trial.h"

#include <linux/magic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define guest sample.guest
#define here  sample.here
#define there sample.there

static struct facts_file *file_there(const char *path)
{
    int index = facts_query_file(&sample.query, path);

    assert_true(index >= 0);
    return &there.files[index];
}

/* ---- one change each ---------------------------------------------------- */

static void no_disk(void)
{
    file_there("/dev/vg/web")->type = FACTS_FILE_ABSENT;
}
static void no_cd(void)
{
    guest.disks[0].read_only = true;
    no_disk();
}
static void disk_is_directory(void)
{
    file_there("/dev/vg/web")->type = FACTS_FILE_OTHER;
}
static void disk_of_other_size(void)
{
    file_there("/dev/vg/web")->size_bytes = 999;
}
static void volume_of_other_size(void)
{
    guest.disks[0].is_image = true;
    file_there("/dev/vg/web")->type = FACTS_FILE_BLOCK;
    disk_of_other_size();
}
static void disk_is_local(void)
{
    file_there("/dev/vg/web")->fs_magic = EXT4_SUPER_MAGIC;
}
static void disks_unknown(void)
{
    there.nr_files = 0;
}
static void no_disk_script(void)
{
    guest.nr_disks = 2;
    file_there("/etc/xen/scripts/block-iscsi")->type = FACTS_FILE_ABSENT;
}
static void many_disks(void)
{
    guest.nr_disks_left_out = 3;
}
static void qemu_does_not_answer(void)
{
    guest.nr_qemu_disks = 1;
    strcpy(guest.qemu_fault, "disk xvda: the QEMU that serves it: no answer");
}
static void no_bridge(void)
{
    there.bridges[0] = FACTS_NO;
}
static void bridges_unknown(void)
{
    there.nr_bridges = 0;
}
static void no_vswitch(void)
{
    guest.nics[0].kind = VIF_SCRIPT_VSWITCH;
    no_bridge();
}
static void odd_bridge(void)
{
    guest.nics[0].kind = VIF_SCRIPT_OWN;
    here.bridges[0] = FACTS_NO;
    no_bridge();
}
static void odd_bridge_is_here(void)
{
    guest.nics[0].kind = VIF_SCRIPT_OWN;
    no_bridge();
}
static void no_vif_script(void)
{
    file_there("/etc/xen/scripts/vif-bridge")->type = FACTS_FILE_ABSENT;
}
static void vif_script_not_executable(void)
{
    file_there("/etc/xen/scripts/vif-bridge")->executable = false;
}
static void nic_elsewhere(void)
{
    guest.nics[1].elsewhere = true;
}
static void no_device_model(void)
{
    file_there("/usr/libexec/qemu-ours")->type = FACTS_FILE_ABSENT;
}

static void old_qemu(void)
{
    strcpy(guest.qemu_version, "7.2.22");
    strcpy(file_there("/usr/libexec/qemu-ours")->version, "7.2.5");
}
static void qemu_unknown(void)
{
    strcpy(file_there("/usr/libexec/qemu-ours")->version, "");
}
static void ask_again(void)
{
    facts_query_of(&guest, &sample.query);
    there.nr_files = sample.query.nr_files;
    there.files[there.nr_files - 1].type = FACTS_FILE_ABSENT;
}
static void default_qemu_is_elsewhere(void)
{
    guest.device_model[0] = 0;
    strcpy(guest.qemu_path, "/usr/libexec/qemu-ours");
    no_device_model();
}
static void no_kernel(void)
{
    guest.nr_boot_files = 1;
    guest.boot_files[0].what = "kernel";
    strcpy(guest.boot_files[0].path, "/boot/mine");
    ask_again();
}
static void kernel_is_not_told(void)
{
    no_kernel();
    there.files[there.nr_files - 1].untold = true;
}
static void port(enum facts_answer taken)
{
    guest.nr_ports = 1;
    guest.ports[0] = (struct facts_port){"VNC", 5901};
    there.nr_ports = 1;
    there.ports_taken[0] = taken;
}
static void port_taken(void)
{
    port(FACTS_YES);
}
static void port_unknown(void)
{
    port(FACTS_YES);
    there.nr_ports = 0;
}
static void disk_is_not_told(void)
{
    no_disk();
    file_there("/dev/vg/web")->untold = true;
}

static const struct check_change changes[] = {
    {old_qemu, "device-model", CHECK_WARNING,
     "host2 has QEMU 7.2.5, older than 7.2.22, which web runs on", "upgrade"},
    {qemu_unknown, "device-model", CHECK_UNKNOWN, "not found out", NULL},
    {default_qemu_is_elsewhere, "device-model", CHECK_UNKNOWN, "not found",
     NULL},
    {no_kernel, "boot-files", CHECK_WARNING,
     "there is no kernel /boot/mine on host2: when web reboots", "copy it"},
    {kernel_is_not_told, "boot-files", CHECK_UNKNOWN, "/boot/mine", NULL},
    {port_taken, "port", CHECK_BLOCKER, "TCP port 5901 (VNC) is taken on host2",
     "-C FILE"},
    {port_unknown, "port", CHECK_UNKNOWN, "5901", NULL},
    {disk_is_not_told, "disk", CHECK_UNKNOWN, "/dev/vg/web", NULL},
    {no_disk, "disk", CHECK_BLOCKER, "xvda: there is no /dev/vg/web on host2",
     "same storage"},
    {no_cd, "disk", CHECK_BLOCKER, "there is no /dev/vg/web", "xl cd-eject"},
    {disk_is_directory, "disk", CHECK_BLOCKER, "neither a file", "storage"},
    {disk_of_other_size, "disk", CHECK_BLOCKER,
     "1000 bytes here and 999 on host2", "storage"},
    {volume_of_other_size, "disk", CHECK_BLOCKER,
     "1000 bytes here and 999 on host2", "storage"},
    {disk_is_local, "disk", CHECK_WARNING, "local file system (ext4)",
     "shared"},
    {disks_unknown, "disk", CHECK_UNKNOWN, "/dev/vg/web", NULL},
    {no_disk_script, "disk", CHECK_BLOCKER, "no script /etc/xen/scripts/block",
     "copy"},
    {many_disks, "disk", CHECK_UNKNOWN, "3 more disks", NULL},
    {qemu_does_not_answer, "qemu-disk", CHECK_BLOCKER,
     "disk xvda: the QEMU that serves it: no answer", "shut the guest down"},
    {no_bridge, "bridge", CHECK_BLOCKER, "there is no bridge xenbr0 on host2",
     "ip link add xenbr0 type bridge"},
    {no_vswitch, "bridge", CHECK_BLOCKER, "there is no bridge xenbr0 on host2",
     "ovs-vsctl add-br xenbr0"},
    {odd_bridge, "bridge", CHECK_UNKNOWN, "vif-bridge makes of it", NULL},
    {odd_bridge_is_here, "bridge", CHECK_WARNING,
     "there is no xenbr0 on host2, as there is here", "xenbr0"},
    {bridges_unknown, "bridge", CHECK_UNKNOWN, "xenbr0", NULL},
    {no_vif_script, "script", CHECK_BLOCKER, "no script", "copy the script"},
    {vif_script_not_executable, "script", CHECK_BLOCKER, "not executable",
     "executable"},
    {nic_elsewhere, "bridge", CHECK_UNKNOWN, "NIC 1", NULL},
    {no_device_model, "device-model", CHECK_BLOCKER,
     "no device model /usr/libexec/qemu-ours", "install"},
};

static void test_each_is_found(void **state)
{
    (void)state;
    check_trial_all(changes, sizeof(changes) / sizeof(changes[0]));
}

/* It grows as the guest writes, and one host sees it later than the other. */
static void test_images_may_differ_in_size(void **state)
{
    const struct check_finding *found = NULL;

    (void)state;
    check_sample_make();
    guest.nr_disks = 1;
    guest.disks[0].is_image = true;
    disk_of_other_size();
    check_trial_run();
    assert_int_equal(check_trial_count("disk", &found), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_found),
        cmocka_unit_test(test_images_may_differ_in_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
