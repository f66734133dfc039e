/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What of a configuration a check goes by; what Dom0 says of a file. */
#include "xl-migrate/facts/facts_gather.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static libxl_domain_config config;
static libxl_device_disk disks[FACTS_MAX_DISKS + 2];
static libxl_device_nic nics[3];
static struct facts_guest guest;

static int set_up(void **state)
{
    (void)state;
    memset(&config, 0, sizeof(config));
    memset(disks, 0, sizeof(disks));
    memset(nics, 0, sizeof(nics));
    memset(&guest, 0, sizeof(guest));
    config.disks = disks;
    config.nics = nics;
    config.b_info.type = LIBXL_DOMAIN_TYPE_PVH;
    config.b_info.max_vcpus = 3;
    return 0;
}

static void take(void)
{
    memset(&guest, 0, sizeof(guest));
    facts_guest_config(&guest, &config);
}

static void test_plain(void **state)
{
    static const struct facts_fixed none;

    (void)state;
    take();
    assert_int_equal(guest.nr_vcpus, 3);
    assert_int_equal(guest.nr_disks, 0);
    assert_int_equal(guest.nr_nics, 0);
    assert_memory_equal(&guest.fixed, &none, sizeof(none));
    assert_false(guest.no_migrate || guest.stub_domain || guest.nested_hvm ||
                 guest.native_tsc);
    assert_string_equal(guest.pool, "");
    assert_string_equal(guest.device_model, "");
}

static void test_flags(void **state)
{
    libxl_domain_build_info *info = &config.b_info;

    (void)state;
    libxl_defbool_set(&info->disable_migrate, true);
    libxl_defbool_set(&info->device_model_stubdomain, true);
    libxl_defbool_set(&info->nested_hvm, true);
    info->tsc_mode = LIBXL_TSC_MODE_NATIVE;
    info->num_vnuma_nodes = 2;
    info->device_model = (char *)"/usr/bin/qemu";
    config.c_info.pool_name = (char *)"fast";
    take();
    assert_true(guest.no_migrate && guest.stub_domain && guest.nested_hvm &&
                guest.native_tsc);
    assert_int_equal(guest.nr_vnuma_nodes, 2);
    assert_string_equal(guest.device_model, "/usr/bin/qemu");
    assert_string_equal(guest.pool, "fast");

    libxl_defbool_set(&info->disable_migrate, false);
    take();
    assert_false(guest.no_migrate);
}

static void test_scheduling(void **state)
{
    uint8_t bits[4] = {0x20, 0x02, 0x20, 0xff};
    libxl_bitmap maps[4];
    libxl_domain_build_info *info = &config.b_info;

    (void)state;
    for (size_t i = 0; i < 4; i++)
        maps[i] = (libxl_bitmap){.size = 1, .map = &bits[i]};
    info->vcpu_hard_affinity = maps;
    info->num_vcpu_hard_affinity = 4;
    info->sched_params.cap = 40;
    take();
    assert_int_equal(guest.cap, 40);
    assert_int_equal(guest.nr_pins, 2); /* 0 and 2 are the same, 3 is any */
    assert_true(facts_cpus_have(&guest.pins[0], 5));
    assert_false(facts_cpus_have(&guest.pins[0], 1));
    assert_true(facts_cpus_have(&guest.pins[1], 1));
    info->sched_params.cap = -1; /* libxl's default */
    take();
    assert_int_equal(guest.cap, 0);
}

static void test_what_does_not_move(void **state)
{
    libxl_domain_build_info *info = &config.b_info;
    char *list[] = {(char *)"tablet", (char *)"host:1234:5678", NULL};

    (void)state;
    info->type = LIBXL_DOMAIN_TYPE_HVM;
    config.num_pcidevs = 1;
    config.num_usbdevs = 2;
    config.num_dtdevs = 3;
    config.num_vtpms = 4;
    config.num_p9s = 5;
    config.num_vdispls = 6;
    config.num_vsnds = 7;
    config.num_pvcallsifs = 8;
    info->num_ioports = 1;
    info->num_irqs = 1;
    info->num_iomem = 1;
    info->u.hvm.usbdevice_list = list;
    libxl_defbool_set(&info->u.hvm.gfx_passthru, true);
    libxl_defbool_set(&info->u.hvm.nested_hvm, true);
    take();
    assert_int_equal(guest.fixed.nr_pci, 1);
    assert_int_equal(guest.fixed.nr_usb, 3);
    assert_int_equal(guest.fixed.nr_device_tree, 3);
    assert_int_equal(guest.fixed.nr_vtpms, 4);
    assert_int_equal(guest.fixed.nr_9p, 5);
    assert_int_equal(guest.fixed.nr_vdispls, 6);
    assert_int_equal(guest.fixed.nr_vsnds, 7);
    assert_int_equal(guest.fixed.nr_pvcalls, 8);
    assert_int_equal(guest.fixed.nr_ports, 3);
    assert_true(guest.fixed.gfx_passthru);
    assert_true(guest.nested_hvm);
}

static void test_disks(void **state)
{
    (void)state;
    config.num_disks = 5;
    disks[0].vdev = (char *)"xvda";
    disks[0].pdev_path = (char *)"/dev/vg/web";
    disks[0].readwrite = 1;
    disks[0].format = LIBXL_DISK_FORMAT_RAW;
    disks[4].format = LIBXL_DISK_FORMAT_QCOW2;
    disks[1].vdev = (char *)"hdc";
    disks[1].format = LIBXL_DISK_FORMAT_EMPTY;
    disks[2].vdev = (char *)"xvdb";
    disks[2].pdev_path = (char *)"iqn:web";
    disks[2].script = (char *)"block-iscsi";
    disks[3].vdev = (char *)"xvdc";
    disks[3].pdev_path = (char *)"/dev/elsewhere";
    disks[3].backend_domid = 4;
    disks[3].script = (char *)"/opt/block";
    disks[4].pdev_path = (char *)"/dev/x";
    disks[4].backend_domname = (char *)"Domain-0";
    disks[4].script = (char *)"/opt/block";
    take();
    assert_int_equal(guest.nr_disks, 5);
    assert_true(guest.disks[0].is_path && !guest.disks[0].read_only);
    assert_string_equal(guest.disks[0].path, "/dev/vg/web");
    assert_string_equal(guest.disks[0].script, "");
    assert_false(guest.disks[0].is_image);
    assert_true(guest.disks[4].is_image);
    assert_string_equal(guest.disks[1].path, "");
    assert_true(!guest.disks[1].is_path && guest.disks[1].read_only);
    assert_string_equal(guest.disks[2].script, "/etc/xen/scripts/block-iscsi");
    assert_false(guest.disks[2].is_path);
    assert_false(guest.disks[3].is_path);
    assert_string_equal(guest.disks[3].script, "");
    assert_string_equal(guest.disks[4].script, "/opt/block");

    config.num_disks = FACTS_MAX_DISKS + 2;
    take();
    assert_int_equal(guest.nr_disks, FACTS_MAX_DISKS);
    assert_int_equal(guest.nr_disks_left_out, 2);
}

static void test_nics(void **state)
{
    char too_long[FACTS_PATH_BYTES + 1];

    (void)state;
    config.num_nics = 3;
    nics[0].bridge = (char *)"xenbr0";
    nics[1].script = (char *)"vif-route";
    nics[2].backend_domname = (char *)"netvm";
    take();
    assert_string_equal(guest.nics[0].bridge, "xenbr0");
    assert_string_equal(guest.nics[0].script, "/etc/xen/scripts/vif-bridge");
    assert_false(guest.nics[0].elsewhere);
    assert_string_equal(guest.nics[1].script, "/etc/xen/scripts/vif-route");
    assert_true(guest.nics[2].elsewhere);

    memset(too_long, 'x', sizeof(too_long));
    too_long[FACTS_PATH_BYTES] = 0;
    nics[1].script = too_long;
    take();
    assert_string_equal(guest.nics[1].script, "");
}

/* Each script has its own way with the bridge's name. */
static void test_bridges(void **state)
{
    static const struct {
        const char *script, *name;
        enum vif_script kind;
        const char *bridge;
    } rows[] = {
        {NULL, "xenbr0.5", VIF_SCRIPT_BRIDGE, "xenbr0.5"},
        {"vif-bridge", "xenbr0.5", VIF_SCRIPT_BRIDGE, "xenbr0.5"},
        {"vif-openvswitch", "ovs.100:200", VIF_SCRIPT_VSWITCH, "ovs"},
        {"vif-openvswitch", "ovs:200:300", VIF_SCRIPT_VSWITCH, "ovs"},
        {"/opt/vif-openvswitch", "ovs", VIF_SCRIPT_VSWITCH, "ovs"},
        {"vif-route", "xenbr0", VIF_SCRIPT_NONE, ""},
        {"vif-nat", "xenbr0", VIF_SCRIPT_NONE, ""},
        {"/etc/xen/scripts/my", "br.5", VIF_SCRIPT_OWN, "br.5"},
    };

    (void)state;
    config.num_nics = 1;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        nics[0].script = (char *)rows[i].script;
        nics[0].bridge = (char *)rows[i].name;
        take();
        assert_int_equal(guest.nics[0].kind, rows[i].kind);
        assert_string_equal(guest.nics[0].bridge, rows[i].bridge);
    }
}

static enum facts_file_type look(const char *path)
{
    struct facts_file file = facts_look_at_file(path, FACTS_KIND_DISK);

    assert_false(file.untold);
    return file.type;
}

/* Nothing but the kernel's own table tells the size: the disk stays shut. */
static void test_block_device(void **state)
{
    unsigned long long sectors = 0;
    struct facts_file file;
    FILE *size;

    (void)state;
    if (access("/dev/vda", F_OK))
        skip();
    size = fopen("/sys/class/block/vda/size", "r");
    assert_non_null(size);
    assert_int_equal(fscanf(size, "%llu", &sectors), 1);
    fclose(size);
    file = facts_look_at_file("/dev/vda", FACTS_KIND_DISK);
    assert_int_equal(file.type, FACTS_FILE_BLOCK);
    assert_true(file.has_size);
    assert_true(file.size_bytes == sectors * 512);
}

/* What it starts from, and what its device model listens on. */
static void test_boot_files_and_ports(void **state)
{
    libxl_domain_build_info *info = &config.b_info;
    char *serials[] = {(char *)"telnet:127.0.0.1:4444,server,nowait",
                       (char *)"tcp:host:4445", (char *)"pty", NULL};

    (void)state;
    info->kernel = (char *)"/boot/vmlinuz";
    info->ramdisk = (char *)"relative";
    info->bootloader = (char *)"pygrub";
    config.c_info.domid = (libxl_domid)INVALID_DOMID;
    info->target_memkb = 65536;
    take();
    assert_int_equal(guest.nr_boot_files, 1);
    assert_string_equal(guest.boot_files[0].what, "kernel");
    assert_string_equal(guest.boot_files[0].path, "/boot/vmlinuz");
    assert_int_equal(guest.nr_ports, 0);
    assert_false(guest.keep_domid);
    assert_int_equal(guest.max_memory_kib, 65536 + 1024);

    info->type = LIBXL_DOMAIN_TYPE_HVM;
    config.c_info.domid = 7;
    info->u.hvm.system_firmware = (char *)"/usr/share/ovmf.bin";
    info->u.hvm.serial_list = serials;
    info->u.hvm.vnc.display = 3;
    libxl_defbool_set(&info->u.hvm.vnc.enable, true);
    take();
    assert_true(guest.keep_domid);
    assert_int_equal(guest.nr_boot_files, 2);
    assert_int_equal(guest.nr_ports, 1); /* VNC takes any that is free */
    assert_int_equal(guest.ports[0].port, 4444);
    libxl_defbool_set(&info->u.hvm.vnc.findunused, false);
    take();
    assert_int_equal(guest.nr_ports, 2);
    assert_int_equal(guest.ports[0].port, 5903);
    info->u.hvm.vnc.listen = (char *)"0.0.0.0:7";
    take();
    assert_int_equal(guest.ports[0].port, 5907);
}

static void test_files(void **state)
{
    char path[] = "/tmp/xl-migrate-file-XXXXXX";
    int fd = mkstemp(path);
    struct facts_file file;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "12345", 5), 5);
    close(fd);
    file = facts_look_at_file(path, FACTS_KIND_ANY);
    assert_int_equal(file.type, FACTS_FILE_PLAIN);
    assert_true(file.has_size && !file.executable && file.fs_magic != 0);
    assert_int_equal(file.size_bytes, 5);
    /* Of what is not a disk no size is told. */
    file = facts_look_at_file(path, FACTS_KIND_BOOT);
    assert_int_equal(file.type, FACTS_FILE_PLAIN);
    assert_false(file.has_size || file.executable || file.fs_magic);
    assert_int_equal(file.size_bytes, 0);
    unlink(path);
    assert_int_equal(look(path), FACTS_FILE_ABSENT);
    assert_int_equal(look("/tmp"), FACTS_FILE_OTHER);
    assert_int_equal(look("/dev/null"), FACTS_FILE_OTHER);
    file = facts_look_at_file("/bin/sh", FACTS_KIND_SCRIPT);
    assert_true(file.executable && !file.has_size);

    /* A link is no way to a file that is not told of. */
    assert_int_equal(symlink("/etc/passwd", path), 0);
    file = facts_look_at_file(path, FACTS_KIND_DISK);
    assert_true(file.untold);
    assert_int_equal(file.type, FACTS_FILE_ABSENT);
    unlink(path);
    assert_true(facts_look_at_file("/etc/passwd", FACTS_KIND_ANY).untold);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_plain, set_up),
        cmocka_unit_test_setup(test_flags, set_up),
        cmocka_unit_test_setup(test_scheduling, set_up),
        cmocka_unit_test_setup(test_what_does_not_move, set_up),
        cmocka_unit_test_setup(test_disks, set_up),
        cmocka_unit_test_setup(test_nics, set_up),
        cmocka_unit_test_setup(test_bridges, set_up),
        cmocka_unit_test_setup(test_boot_files_and_ports, set_up),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_block_device),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
