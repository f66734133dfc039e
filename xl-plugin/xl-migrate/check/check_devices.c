/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "check_parts.h"

#include <inttypes.h>
#include <linux/magic.h>
#include <string.h>

/* File systems that only their own host can have mounted. */
static const struct {
    uint64_t magic;
    const char *name;
} local_file_systems[] = {
    {EXT4_SUPER_MAGIC, "ext4"},   {XFS_SUPER_MAGIC, "xfs"},
    {BTRFS_SUPER_MAGIC, "btrfs"}, {TMPFS_MAGIC, "tmpfs"},
    {RAMFS_MAGIC, "ramfs"},       {OVERLAYFS_SUPER_MAGIC, "overlayfs"},
    {F2FS_SUPER_MAGIC, "f2fs"},   {0x2fc12fc1, "zfs"},
};

#define NR(array) (sizeof(array) / sizeof((array)[0]))

const char *check_kind_name(enum domain_kind kind)
{
    return kind == DOMAIN_PV ? "PV" : kind == DOMAIN_PVH ? "PVH" : "HVM";
}

/* ---- what does not move ------------------------------------------------- */

static void fixed(struct checking *at, unsigned nr, enum check_level level,
                  const char *what, const char *fix)
{
    if (nr)
        check_add(at->check, "devices", level, fix, "%s has %u %s",
                  at->guest->name, nr, what);
}

void check_fixed_devices(struct checking *at)
{
    const struct facts_fixed *has = &at->guest->fixed;
    unsigned before = at->check->nr_findings;

    fixed(at, has->nr_pci, CHECK_BLOCKER,
          "PCI devices of this host, which cannot move",
          "xl pci-detach, after the guest has let go of them");
    fixed(at, has->nr_usb, CHECK_BLOCKER,
          "USB devices of this host, which cannot move", "xl usbdev-detach");
    fixed(at, has->nr_device_tree, CHECK_BLOCKER,
          "device tree nodes of this host, which cannot move",
          "start it without dtdev=");
    fixed(at, has->nr_ports, CHECK_BLOCKER,
          "I/O ports, IRQs or memory ranges of this host, which cannot move",
          "start it without ioports=, irqs= and iomem=");
    fixed(at, has->gfx_passthru, CHECK_BLOCKER,
          "graphics card of this host, which cannot move",
          "start it without gfx_passthru=");
    fixed(at, has->nr_9p, CHECK_BLOCKER,
          "directories of this host (9pfs), whose open files cannot move",
          "start it without p9=");
    fixed(at, has->nr_vtpms, CHECK_WARNING,
          "virtual TPMs, whose state stays in their own domain",
          "move the TPM's domain by its own means");
    fixed(at, has->nr_vdispls + has->nr_vsnds + has->nr_pvcalls, CHECK_WARNING,
          "displays, sound cards or socket devices with a backend that must be "
          "there as well",
          "see that the target has the same backend domains");
    if (at->check->nr_findings == before)
        check_add(at->check, "devices", CHECK_OK, "",
                  "no device is bound to this host");
}

void check_qemu_disks(struct checking *at)
{
    const struct facts_guest *guest = at->guest;

    if (guest->qemu_fault[0])
        check_add(at->check, "qemu-disk", CHECK_BLOCKER,
                  "shut the guest down and start it on the other host", "%s",
                  guest->qemu_fault);
    else if (guest->nr_qemu_disks)
        check_add(at->check, "qemu-disk", CHECK_OK, "",
                  "QEMU answers, and can flush the %u disks that it serves",
                  guest->nr_qemu_disks);
}

/* ---- disks -------------------------------------------------------------- */

/* The facts of a file on a host; NULL: it was not looked at. */
static const struct facts_file *file_of(const struct checking *at,
                                        const struct facts_host *host,
                                        const char *path)
{
    int index = facts_query_file(at->query, path);

    return index >= 0 && (unsigned)index < host->nr_files &&
                   !host->files[index].untold
               ? &host->files[index]
               : NULL;
}

static const char *local_file_system(uint64_t magic)
{
    for (size_t i = 0; magic && i < NR(local_file_systems); i++) {
        if (local_file_systems[i].magic == magic)
            return local_file_systems[i].name;
    }
    return NULL;
}

/*
 * The size of an image file grows with what the guest writes, and a network
 * file system shows it at one host seconds later than at the other.
 */
static bool has_fixed_size(const struct facts_disk *disk,
                           const struct facts_file *here,
                           const struct facts_file *there)
{
    if (!here || !here->has_size || !there->has_size)
        return false;
    return !disk->is_image || here->type == FACTS_FILE_BLOCK ||
           there->type == FACTS_FILE_BLOCK;
}

/* Compares a disk that is at both ends. */
static void compare_disk(struct checking *at, const struct facts_disk *disk,
                         const struct facts_file *here,
                         const struct facts_file *there)
{
    const char *local = local_file_system(there->fs_magic);

    if (has_fixed_size(disk, here, there) &&
        here->size_bytes != there->size_bytes)
        check_add(at->check, "disk", CHECK_BLOCKER,
                  "give both hosts the same storage under this path",
                  "%s: %s has %" PRIu64 " bytes here and %" PRIu64
                  " on %s: not the same disk",
                  disk->vdev, disk->path, here->size_bytes, there->size_bytes,
                  at->target);
    else if (local && !disk->read_only && !at->same_host)
        check_add(at->check, "disk", CHECK_WARNING,
                  "put it on shared storage; a copy goes stale as soon as the "
                  "guest writes",
                  "%s: %s lies on a local file system (%s) of %s, so it is not "
                  "the disk that the guest writes here",
                  disk->vdev, disk->path, local, at->target);
    else
        check_add(at->check, "disk", CHECK_OK, "", "%s: %s is on %s, too",
                  disk->vdev, disk->path, at->target);
}

static bool has_script(struct checking *at, const char *id, const char *path)
{
    const struct facts_file *there = file_of(at, at->there, path);

    if (!there) {
        check_add(at->check, id, CHECK_UNKNOWN, "",
                  "whether %s has %s was not found out", at->target, path);
        return false;
    }
    if (there->type == FACTS_FILE_PLAIN && there->executable)
        return true;
    check_add(at->check, id, CHECK_BLOCKER,
              "copy the script there and make it executable",
              there->type == FACTS_FILE_PLAIN
                  ? "the script %s is not executable on %s"
                  : "there is no script %s on %s",
              path, at->target);
    return false;
}

static void check_disk(struct checking *at, const struct facts_disk *disk)
{
    const struct facts_file *there = file_of(at, at->there, disk->path);
    char fix[CHECK_TEXT_BYTES];

    if (disk->script[0] && !has_script(at, "disk", disk->script))
        return;
    if (!disk->path[0])
        return;
    if (!disk->is_path || !there) {
        check_add(at->check, "disk", CHECK_UNKNOWN, "",
                  "%s: whether %s is to be reached from %s was not found out",
                  disk->vdev, disk->path, at->target);
    } else if (there->type == FACTS_FILE_ABSENT) {
        snprintf(fix, sizeof(fix), "make it there, or for a CD: xl cd-eject");
        check_add(at->check, "disk", CHECK_BLOCKER,
                  disk->read_only ? fix
                                  : "give the target the same storage under "
                                    "the same path",
                  "%s: there is no %s on %s", disk->vdev, disk->path,
                  at->target);
    } else if (there->type == FACTS_FILE_OTHER) {
        check_add(at->check, "disk", CHECK_BLOCKER,
                  "give the target the same storage under the same path",
                  "%s: %s on %s is neither a file nor a block device",
                  disk->vdev, disk->path, at->target);
    } else {
        compare_disk(at, disk, file_of(at, at->here, disk->path), there);
    }
}

void check_disks(struct checking *at)
{
    const struct facts_guest *guest = at->guest;

    for (unsigned i = 0; i < guest->nr_disks; i++)
        check_disk(at, &guest->disks[i]);
    if (guest->nr_disks_left_out)
        check_add(at->check, "disk", CHECK_UNKNOWN, "",
                  "%u more disks of %s were not checked",
                  guest->nr_disks_left_out, guest->name);
}

/* ---- the network -------------------------------------------------------- */

static enum facts_answer has_bridge(const struct checking *at,
                                    const struct facts_host *host,
                                    const char *bridge)
{
    int index = facts_query_bridge(at->query, bridge);

    return index >= 0 && (unsigned)index < host->nr_bridges
               ? host->bridges[index]
               : FACTS_UNKNOWN;
}

/* A script that is not known may make something else of the name. */
static void no_odd_bridge(struct checking *at, const struct facts_nic *nic)
{
    char fix[CHECK_TEXT_BYTES];

    snprintf(fix, sizeof(fix), "see that %.160s finds %.64s there", nic->script,
             nic->bridge);
    if (has_bridge(at, at->here, nic->bridge) == FACTS_YES)
        check_add(at->check, "bridge", CHECK_WARNING, fix,
                  "there is no %s on %s, as there is here", nic->bridge,
                  at->target);
    else
        check_add(at->check, "bridge", CHECK_UNKNOWN, "",
                  "there is no device %s on %s or here; what %s makes of it is "
                  "not known",
                  nic->bridge, at->target, nic->script);
}

static void no_bridge(struct checking *at, const struct facts_nic *nic)
{
    char fix[CHECK_TEXT_BYTES];

    if (nic->kind == VIF_SCRIPT_OWN) {
        no_odd_bridge(at, nic);
        return;
    }
    snprintf(fix, sizeof(fix),
             nic->kind == VIF_SCRIPT_VSWITCH
                 ? "there: ovs-vsctl add-br %.64s, and join it to the same "
                   "network"
                 : "there: ip link add %.64s type bridge, and join it to the "
                   "same network",
             nic->bridge);
    check_add(at->check, "bridge", CHECK_BLOCKER, fix,
              "there is no bridge %s on %s", nic->bridge, at->target);
}

static void check_bridge(struct checking *at, const struct facts_nic *nic)
{
    switch (has_bridge(at, at->there, nic->bridge)) {
    case FACTS_YES:
        check_add(at->check, "bridge", CHECK_OK, "", "%s has the bridge %s",
                  at->target, nic->bridge);
        break;
    case FACTS_NO:
        no_bridge(at, nic);
        break;
    default:
        check_add(at->check, "bridge", CHECK_UNKNOWN, "",
                  "whether %s has a bridge %s was not found out", at->target,
                  nic->bridge);
    }
}

/* An earlier NIC asks for the same: once is enough to say it. */
static bool is_said(const struct facts_guest *guest, unsigned index,
                    bool of_script)
{
    const struct facts_nic *nic = &guest->nics[index];

    for (unsigned i = 0; i < index; i++) {
        const struct facts_nic *other = &guest->nics[i];

        if (!other->elsewhere &&
            (of_script ? strcmp(other->script, nic->script) == 0
                       : strcmp(other->bridge, nic->bridge) == 0))
            return true;
    }
    return false;
}

void check_nics(struct checking *at)
{
    const struct facts_guest *guest = at->guest;

    for (unsigned i = 0; i < guest->nr_nics; i++) {
        const struct facts_nic *nic = &guest->nics[i];

        if (nic->elsewhere) {
            check_add(at->check, "bridge", CHECK_UNKNOWN, "",
                      "NIC %u: its backend is not Dom0's; not checked", i);
            continue;
        }
        if (nic->script[0] && !is_said(guest, i, true))
            has_script(at, "script", nic->script);
        if (nic->bridge[0] && !is_said(guest, i, false))
            check_bridge(at, nic);
    }
    if (guest->nr_nics_left_out)
        check_add(at->check, "bridge", CHECK_UNKNOWN, "",
                  "%u more NICs of %s were not checked",
                  guest->nr_nics_left_out, guest->name);
}

/* ---- the device model --------------------------------------------------- */

/* QEMU promises to read the state of an older one only. */
static void compare_versions(struct checking *at,
                             const struct facts_file *there, const char *path)
{
    const char *here = at->guest->qemu_version;

    if (!here[0] || !there->version[0])
        check_add(at->check, "device-model", CHECK_UNKNOWN, "",
                  "whether %s on %s is as new as the QEMU of %s was not found "
                  "out",
                  path, at->target, at->guest->name);
    else if (facts_version_is_older(there->version, here))
        check_add(at->check, "device-model", CHECK_WARNING,
                  "upgrade QEMU there first",
                  "%s has QEMU %s, older than %s, which %s runs on: it may not "
                  "read its state",
                  at->target, there->version, here, at->guest->name);
    else
        check_add(at->check, "device-model", CHECK_OK, "",
                  "%s has QEMU %s, %s runs on %s", at->target, there->version,
                  at->guest->name, here);
}

void check_device_model(struct checking *at)
{
    const struct facts_guest *guest = at->guest;
    bool is_named = guest->device_model[0];
    const char *path = is_named ? guest->device_model : guest->qemu_path;
    const struct facts_file *there = file_of(at, at->there, path);
    bool is_there =
        there && there->type == FACTS_FILE_PLAIN && there->executable;

    if (!path[0])
        return;
    if (is_named && there && !is_there)
        check_add(at->check, "device-model", CHECK_BLOCKER,
                  "install the same device model there",
                  "%s has no device model %s", at->target, path);
    else if (!is_there)
        check_add(at->check, "device-model", CHECK_UNKNOWN, "",
                  "the device model of %s was not found: there is no %s",
                  at->target, path);
    else if (guest->kind == DOMAIN_HVM)
        compare_versions(at, there, path);
    else
        check_add(at->check, "device-model", CHECK_OK, "",
                  "%s has the device model %s", at->target, path);
}

static void check_port(struct checking *at, unsigned index)
{
    const struct facts_port *port = &at->guest->ports[index];

    if (index >= at->there->nr_ports)
        check_add(at->check, "port", CHECK_UNKNOWN, "",
                  "whether TCP port %u (%s) is free on %s was not found out",
                  port->port, port->what, at->target);
    else if (at->there->ports_taken[index] == FACTS_YES && !at->same_host)
        check_add(at->check, "port", CHECK_BLOCKER,
                  "free it there, or -C FILE with another",
                  "TCP port %u (%s) is taken on %s", port->port, port->what,
                  at->target);
    else
        check_add(at->check, "port", CHECK_OK, "",
                  "TCP port %u (%s) is free on %s", port->port, port->what,
                  at->target);
}

void check_ports(struct checking *at)
{
    for (unsigned i = 0; i < at->guest->nr_ports; i++)
        check_port(at, i);
}

/* ---- what it boots from ------------------------------------------------- */

/* Moving needs none of them; the reboot that follows does. */
void check_boot_files(struct checking *at)
{
    const struct facts_guest *guest = at->guest;

    for (unsigned i = 0; i < guest->nr_boot_files; i++) {
        const struct facts_boot_file *file = &guest->boot_files[i];
        const struct facts_file *there = file_of(at, at->there, file->path);

        if (!there)
            check_add(at->check, "boot-files", CHECK_UNKNOWN, "",
                      "whether %s has the %s %s was not found out", at->target,
                      file->what, file->path);
        else if (there->type == FACTS_FILE_ABSENT)
            check_add(at->check, "boot-files", CHECK_WARNING,
                      "copy it there before the guest reboots",
                      "there is no %s %s on %s: when %s reboots there, it will "
                      "not start",
                      file->what, file->path, at->target, guest->name);
        else
            check_add(at->check, "boot-files", CHECK_OK, "", "%s has the %s %s",
                      at->target, file->what, file->path);
    }
}
