/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest, out of its configuration, xenstore and Xen. */
#include "facts_gather.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxl.h>
#include <libxl_utils.h>
#include <xenstore.h>

#include "common/qemu_disks.h"
#include "facts_autostart.h"
#include "facts_qemu.h"
#include "xl-migrate/domain/source_keys_read.h"

/* Where xl looks for scripts that are named without a directory. */
#define SCRIPT_DIR "/etc/xen/scripts"

/* libxl's default where a NIC names no script (xl-network-configuration(5)). */
#define VIF_SCRIPT "vif-bridge"

/* The limit of an x86 guest is its memory and so much more, by libxl. */
#define MAXMEM_MORE_KIB 1024

#define VNC_PORT        5900

/* Copies a text, or nothing if it does not fit: then nobody can ask for it. */
static void copy(char *ret, size_t room_bytes, const char *text)
{
    ret[0] = 0;
    if (text && strlen(text) < room_bytes)
        memcpy(ret, text, strlen(text) + 1);
}

static bool is_set(libxl_defbool value)
{
    return !libxl_defbool_is_default(value) && libxl_defbool_val(value);
}

static void copy_script(char ret[FACTS_PATH_BYTES], const char *script)
{
    int n;

    if (!script || !script[0]) {
        ret[0] = 0;
    } else if (script[0] == '/') {
        copy(ret, FACTS_PATH_BYTES, script);
    } else {
        n = snprintf(ret, FACTS_PATH_BYTES, SCRIPT_DIR "/%s", script);
        if (n < 0 || n >= FACTS_PATH_BYTES)
            ret[0] = 0;
    }
}

static bool is_elsewhere(libxl_domid backend, const char *name)
{
    return backend != 0 || (name && name[0] && strcmp(name, "Domain-0") != 0 &&
                            strcmp(name, "0") != 0);
}

static void take_disk(struct facts_disk *ret, const libxl_device_disk *disk)
{
    bool elsewhere = is_elsewhere(disk->backend_domid, disk->backend_domname);

    copy(ret->vdev, sizeof(ret->vdev), disk->vdev);
    if (disk->format != LIBXL_DISK_FORMAT_EMPTY)
        copy(ret->path, sizeof(ret->path), disk->pdev_path);
    if (!elsewhere)
        copy_script(ret->script, disk->script);
    /* With a script the "path" is whatever the script makes of it. */
    ret->is_path = !elsewhere && !ret->script[0] && ret->path[0] == '/';
    ret->read_only = !disk->readwrite;
    ret->is_image = disk->format != LIBXL_DISK_FORMAT_RAW;
}

static void take_nic(struct facts_nic *ret, const libxl_device_nic *nic)
{
    unsigned vlan;

    ret->elsewhere = is_elsewhere(nic->backend_domid, nic->backend_domname);
    ret->kind = vif_script_kind(nic->script);
    vif_script_bridge(ret->kind, nic->bridge, ret->bridge, sizeof(ret->bridge),
                      &vlan);
    copy_script(ret->script,
                nic->script && nic->script[0] ? nic->script : VIF_SCRIPT);
}

static void take_devices(struct facts_guest *guest,
                         const libxl_domain_config *config)
{
    struct facts_fixed *fixed = &guest->fixed;

    for (int i = 0; i < config->num_disks; i++) {
        if (guest->nr_disks < FACTS_MAX_DISKS)
            take_disk(&guest->disks[guest->nr_disks++], &config->disks[i]);
        else
            guest->nr_disks_left_out++;
    }
    for (int i = 0; i < config->num_nics; i++) {
        if (guest->nr_nics < FACTS_MAX_NICS)
            take_nic(&guest->nics[guest->nr_nics++], &config->nics[i]);
        else
            guest->nr_nics_left_out++;
    }
    fixed->nr_pci = (unsigned)config->num_pcidevs;
    fixed->nr_usb = (unsigned)config->num_usbdevs;
    fixed->nr_device_tree = (unsigned)config->num_dtdevs;
    fixed->nr_vtpms = (unsigned)config->num_vtpms;
    fixed->nr_9p = (unsigned)config->num_p9s;
    fixed->nr_vdispls = (unsigned)config->num_vdispls;
    fixed->nr_vsnds = (unsigned)config->num_vsnds;
    fixed->nr_pvcalls = (unsigned)config->num_pvcallsifs;
}

/* usbdevice= of an HVM guest: "host:..." is a real one of this host. */
static bool is_host_usb(const char *device)
{
    return device && strncmp(device, "host", 4) == 0;
}

static void take_hvm(struct facts_guest *guest,
                     const libxl_domain_build_info *info)
{
    const libxl_string_list list = info->u.hvm.usbdevice_list;

    guest->fixed.gfx_passthru = is_set(info->u.hvm.gfx_passthru);
    guest->nested_hvm =
        is_set(info->nested_hvm) || is_set(info->u.hvm.nested_hvm);
    guest->fixed.nr_usb += is_host_usb(info->u.hvm.usbdevice);
    for (unsigned i = 0; list && list[i]; i++)
        guest->fixed.nr_usb += is_host_usb(list[i]);
}

static bool is_same(const struct facts_cpus *a, const struct facts_cpus *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* Each set of CPUs once; most guests have none, or one. */
static void take_pin(struct facts_guest *guest, const libxl_bitmap *map)
{
    struct facts_cpus pin = {{0}};
    bool is_any = true;

    for (int cpu = 0; cpu < 8 * (int)map->size; cpu++) {
        if (libxl_bitmap_test(map, cpu))
            facts_cpus_add(&pin, (unsigned)cpu);
        else
            is_any = false;
    }
    if (is_any || guest->nr_pins > FACTS_MAX_PINS)
        return;
    for (unsigned i = 0; i < guest->nr_pins; i++) {
        if (is_same(&guest->pins[i], &pin))
            return;
    }
    if (guest->nr_pins < FACTS_MAX_PINS)
        guest->pins[guest->nr_pins] = pin;
    guest->nr_pins++;
}

static void take_scheduling(struct facts_guest *guest,
                            const libxl_domain_config *config)
{
    const libxl_domain_build_info *info = &config->b_info;

    copy(guest->pool, sizeof(guest->pool), config->c_info.pool_name);
    if (info->sched_params.cap > 0)
        guest->cap = (unsigned)info->sched_params.cap;
    for (int i = 0; i < info->num_vcpu_hard_affinity; i++)
        take_pin(guest, &info->vcpu_hard_affinity[i]);
}

static void take_boot_file(struct facts_guest *guest, const char *what,
                           const char *path)
{
    struct facts_boot_file *file = &guest->boot_files[guest->nr_boot_files];

    /* A bare name is one of Xen's own, which the target's xl finds itself. */
    if (!path || path[0] != '/' || guest->nr_boot_files == FACTS_MAX_BOOT ||
        strlen(path) >= sizeof(file->path))
        return;
    file->what = what;
    copy(file->path, sizeof(file->path), path);
    guest->nr_boot_files++;
}

static void take_boot_files(struct facts_guest *guest,
                            const libxl_domain_build_info *info)
{
    take_boot_file(guest, "kernel", info->kernel);
    take_boot_file(guest, "ramdisk", info->ramdisk);
    take_boot_file(guest, "bootloader", info->bootloader);
    if (info->type != LIBXL_DOMAIN_TYPE_HVM)
        return;
    take_boot_file(guest, "firmware", info->u.hvm.firmware);
    take_boot_file(guest, "system firmware", info->u.hvm.system_firmware);
    take_boot_file(guest, "SMBIOS firmware", info->u.hvm.smbios_firmware);
    take_boot_file(guest, "ACPI firmware", info->u.hvm.acpi_firmware);
}

static void take_port(struct facts_guest *guest, const char *what, long port)
{
    if (port <= 0 || port > UINT16_MAX || guest->nr_ports == FACTS_MAX_PORTS)
        return;
    guest->ports[guest->nr_ports].what = what;
    guest->ports[guest->nr_ports++].port = (uint16_t)port;
}

/* As libxl has it: 5900 + display, and any of the 99 behind it if unset. */
static void take_vnc(struct facts_guest *guest, const libxl_vnc_info *vnc)
{
    const char *colon = vnc->listen ? strrchr(vnc->listen, ':') : NULL;

    if (is_set(vnc->enable) && !libxl_defbool_is_default(vnc->findunused) &&
        !libxl_defbool_val(vnc->findunused))
        take_port(guest, "VNC",
                  VNC_PORT + (colon ? strtol(colon + 1, NULL, 10)
                                    : (long)vnc->display));
}

/* "tcp:ADDRESS:PORT,server,..." or "telnet:..." listens; without, it calls. */
static void take_serial(struct facts_guest *guest, const char *serial)
{
    const char *colon, *comma;

    if (!serial ||
        (strncmp(serial, "tcp:", 4) != 0 && strncmp(serial, "telnet:", 7) != 0))
        return;
    comma = strchr(serial, ',');
    colon = comma ? memrchr(serial, ':', (size_t)(comma - serial)) : NULL;
    if (colon && strstr(comma, ",server") && !strstr(comma, "server=off"))
        take_port(guest, "serial", strtol(colon + 1, NULL, 10));
}

static void take_ports(struct facts_guest *guest,
                       const libxl_domain_config *config)
{
    const libxl_domain_build_info *info = &config->b_info;
    const libxl_string_list serials =
        info->type == LIBXL_DOMAIN_TYPE_HVM ? info->u.hvm.serial_list : NULL;

    for (int i = 0; i < config->num_vfbs; i++)
        take_vnc(guest, &config->vfbs[i].vnc);
    if (info->type != LIBXL_DOMAIN_TYPE_HVM)
        return;
    take_vnc(guest, &info->u.hvm.vnc);
    take_serial(guest, info->u.hvm.serial);
    for (unsigned i = 0; serials && serials[i]; i++)
        take_serial(guest, serials[i]);
    if (is_set(info->u.hvm.spice.enable)) {
        take_port(guest, "SPICE", info->u.hvm.spice.port);
        take_port(guest, "SPICE (TLS)", info->u.hvm.spice.tls_port);
    }
}

void facts_guest_config(struct facts_guest *guest,
                        const libxl_domain_config *config)
{
    const libxl_domain_build_info *info = &config->b_info;

    guest->nr_vcpus = info->max_vcpus > 0 ? (unsigned)info->max_vcpus : 0;
    take_scheduling(guest, config);
    copy(guest->device_model, sizeof(guest->device_model), info->device_model);
    guest->no_migrate = is_set(info->disable_migrate);
    guest->stub_domain = is_set(info->device_model_stubdomain);
    guest->nr_vnuma_nodes = (unsigned)info->num_vnuma_nodes;
    guest->native_tsc = info->tsc_mode == LIBXL_TSC_MODE_NATIVE;
    take_devices(guest, config);
    take_boot_files(guest, info);
    take_ports(guest, config);
    guest->keep_domid = config->c_info.domid != (libxl_domid)INVALID_DOMID &&
                        config->c_info.domid != 0;
    if (info->target_memkb != LIBXL_MEMKB_DEFAULT)
        guest->max_memory_kib = info->target_memkb + MAXMEM_MORE_KIB;
    guest->fixed.nr_ports += (unsigned)info->num_ioports +
                             (unsigned)info->num_irqs +
                             (unsigned)info->num_iomem;
    if (info->type == LIBXL_DOMAIN_TYPE_HVM)
        take_hvm(guest, info);
    else
        guest->nested_hvm = is_set(info->nested_hvm);
}

/* ---- asked of others ---------------------------------------------------- */

/* A short value below the domain's home; NULL: none. The caller frees it. */
static char *read_node(struct xs_handle *xs, uint32_t domid, const char *node)
{
    char path[128];
    unsigned nr_bytes;

    snprintf(path, sizeof(path), "/local/domain/%u/%s", domid, node);
    return xs_read(xs, XBT_NULL, path, &nr_bytes);
}

static void ask_xenstore(struct facts_guest *guest, struct xs_handle *xs)
{
    char *port = read_node(xs, guest->domid, "device/suspend/event-channel");
    char *feature = read_node(xs, guest->domid, "control/feature-suspend");

    guest->suspend_event_channel = port && port[0];
    guest->suspend_feature = feature && strcmp(feature, "1") == 0;
    guest->suspend_unsaid = feature && !feature[0];
    free(port);
    free(feature);
}

static void ask_qemu(struct facts_guest *guest, struct xs_handle *xs)
{
    struct qemu_disks disks = {.xs = xs, .domid = guest->domid};
    struct xcx_err err = XCX_ERR_INIT;

    if (qemu_disks_check(&disks, &err))
        copy(guest->qemu_fault, sizeof(guest->qemu_fault), err.msg);
    guest->nr_qemu_disks = disks.nr;
}

/*
 * As libxl reckons it for a guest that starts, but not less than what this one
 * has now: the target makes just these pages.
 */
static void reckon_memory(struct facts_guest *guest, struct host *host,
                          libxl_domain_config *config)
{
    uint64_t has_kib = guest->survey.nr_pages * 4 +
                       config->b_info.shadow_memkb + config->b_info.iommu_memkb;
    uint64_t need_kib = 0;

    if (libxl_domain_need_memory(host->ctx, config, guest->domid, &need_kib))
        need_kib = 0;
    guest->need_memory_kib = need_kib > has_kib ? need_kib : has_kib;
}

/* Asks for the pool that the guest is in now: its configuration may be old. */
static void ask_pool(struct facts_guest *guest, libxl_ctx *ctx)
{
    libxl_cpupoolinfo pool;
    libxl_dominfo info;

    libxl_dominfo_init(&info);
    libxl_cpupoolinfo_init(&pool);
    if (libxl_domain_info(ctx, &info, guest->domid) == 0 &&
        libxl_cpupool_info(ctx, &pool, info.cpupool) == 0) {
        copy(guest->pool_now, sizeof(guest->pool_now), pool.pool_name);
        copy(guest->sched, sizeof(guest->sched),
             libxl_scheduler_to_string(pool.sched));
    }
    libxl_cpupoolinfo_dispose(&pool);
    libxl_dominfo_dispose(&info);
}

static void ask_device_model(struct facts_guest *guest, struct xs_handle *xs)
{
    static const struct facts_qemu_places places;
    char *pid = read_node(xs, guest->domid, "image/device-model-pid");

    if (pid && guest->kind == DOMAIN_HVM && !guest->stub_domain)
        facts_qemu_ask(guest, strtol(pid, NULL, 10), &places);
    free(pid);
}

static void ask_nested(struct facts_guest *guest)
{
    bool is_on;

    if (guest->nested_hvm &&
        xcx_is_hypervisor(guest->domid, guest->nr_vcpus, &is_on, NULL) == 0)
        guest->is_hypervisor = is_on ? FACTS_YES : FACTS_NO;
}

static int take_config(struct facts_guest *guest, struct host *host,
                       const char *config_json, struct xcx_err *err)
{
    libxl_domain_config config;
    int rc;

    libxl_domain_config_init(&config);
    rc = libxl_domain_config_from_json(host->ctx, &config, config_json);
    if (rc == 0) {
        facts_guest_config(guest, &config);
        reckon_memory(guest, host, &config);
    }
    libxl_domain_config_dispose(&config);
    return rc ? xcx_err_set(err, XCX_ERR_USAGE, 0,
                            "%s: libxl cannot read the configuration that it "
                            "is to move with",
                            guest->name)
              : 0;
}

int facts_guest_gather(struct host *host, const struct domain *domain,
                       const char *config_json,
                       const struct config_xenstore_keys *more_keys,
                       struct facts_guest *ret_guest, struct xcx_err *err)
{
    memset(ret_guest, 0, sizeof(*ret_guest));
    ret_guest->domid = domain->domid;
    ret_guest->kind = domain->kind;
    copy(ret_guest->name, sizeof(ret_guest->name), domain->name);
    copy(ret_guest->uuid, sizeof(ret_guest->uuid), domain->uuid);
    if (xcx_survey(domain->domid, &ret_guest->survey, err) ||
        take_config(ret_guest, host, config_json, err))
        return -1;

    ret_guest->old_device_model = domain->old_device_model;
    if (domain->stubdom_domid)
        ret_guest->stub_domain = true;
    ask_xenstore(ret_guest, host->xs);
    ask_pool(ret_guest, host->ctx);
    ask_nested(ret_guest);
    ask_qemu(ret_guest, host->xs);
    ask_device_model(ret_guest, host->xs);
    source_keys_survey(host->xs, domain->domid, more_keys,
                       ret_guest->keys_problem,
                       sizeof(ret_guest->keys_problem));
    facts_autostart(FACTS_AUTOSTART_DIR, ret_guest);
    ret_guest->has_cpu_policy =
        xcx_cpu_policy_of_domain(domain->domid, &ret_guest->cpu_policy, NULL) ==
        0;
    return 0;
}
