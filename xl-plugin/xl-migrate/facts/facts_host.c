/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This host, as far as a guest needs it. */
#include "facts_gather.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <libxl.h>
#include <libxl_utils.h>

#include "facts_path.h"
#include "facts_ports.h"
#include "facts_qemu.h"
#include "xl-migrate/domain/xl_conf.h"

#define SYS_BLOCK      "/sys/dev/block"
#define SYS_PATH_BYTES 64
#define SECTOR_BYTES   512
#define NS_PER_S       UINT64_C(1000000000)
#define XL_CONF        "/etc/xen/xl.conf"
#define XL_CONF_BYTES  65536
#define KIB_A_PAGE     4

/* ---- files and bridges -------------------------------------------------- */

/* In sectors of 512 bytes, whatever the disk's own are; nothing is opened. */
static void look_at_block(dev_t device, struct facts_file *file)
{
    char path[SYS_PATH_BYTES];
    uint64_t sectors;
    FILE *size;

    snprintf(path, sizeof(path), SYS_BLOCK "/%u:%u/size", major(device),
             minor(device));
    size = fopen(path, "re");
    if (!size)
        return;
    file->has_size = fscanf(size, "%" SCNu64, &sectors) == 1 &&
                     sectors <= UINT64_MAX / SECTOR_BYTES;
    if (file->has_size)
        file->size_bytes = sectors * SECTOR_BYTES;
    fclose(size);
}

static void look_at_plain(const char *path, const struct stat *st,
                          struct facts_file *file)
{
    struct statfs fs;

    file->has_size = true;
    file->size_bytes = (uint64_t)st->st_size;
    file->executable = access(path, X_OK) == 0;
    if (statfs(path, &fs) == 0)
        file->fs_magic = (uint32_t)fs.f_type;
}

/* No more than the kind needs. */
static void leave_out(struct facts_file *file, enum facts_file_kind kind)
{
    bool is_disk = kind == FACTS_KIND_DISK || kind == FACTS_KIND_ANY;

    if (!is_disk) {
        file->has_size = false;
        file->size_bytes = file->fs_magic = 0;
    }
    if (kind == FACTS_KIND_DISK || kind == FACTS_KIND_BOOT)
        file->executable = false;
}

/* Where its links lead is told of, too; one that leads nowhere is absent. */
static bool is_told(const char *path, enum facts_file_kind kind)
{
    char *resolved;
    bool told;

    if (!facts_path_is_told(path, kind))
        return false;
    resolved = realpath(path, NULL);
    told = !resolved || facts_path_is_told(resolved, kind);
    free(resolved);
    return told;
}

struct facts_file facts_look_at_file(const char *path,
                                     enum facts_file_kind kind)
{
    struct facts_file file = {.type = FACTS_FILE_ABSENT};
    struct stat st;

    file.untold = !is_told(path, kind);
    if (file.untold || stat(path, &st))
        return file;
    if (S_ISREG(st.st_mode)) {
        file.type = FACTS_FILE_PLAIN;
        look_at_plain(path, &st, &file);
    } else if (S_ISBLK(st.st_mode)) {
        file.type = FACTS_FILE_BLOCK;
        look_at_block(st.st_rdev, &file);
    } else {
        file.type = FACTS_FILE_OTHER;
    }
    leave_out(&file, kind);
    if (kind == FACTS_KIND_DEVICE_MODEL && file.executable)
        facts_qemu_version_of(path, file.version, sizeof(file.version));
    return file;
}

/* A switch of another kind (Open vSwitch) shows as a plain interface. */
static enum facts_answer look_at_bridge(const char *name)
{
    char path[FACTS_NAME_BYTES + 32];

    if (strchr(name, '/') || name[0] == '.')
        return FACTS_NO;
    snprintf(path, sizeof(path), "/sys/class/net/%s", name);
    return access(path, F_OK) == 0 ? FACTS_YES : FACTS_NO;
}

/* ---- libxl -------------------------------------------------------------- */

static enum facts_answer yes_or_no(bool yes)
{
    return yes ? FACTS_YES : FACTS_NO;
}

static void ask_physinfo(struct facts_host *facts, libxl_ctx *ctx)
{
    const libxl_version_info *version = libxl_get_version_info(ctx);
    libxl_physinfo info;

    libxl_physinfo_init(&info);
    if (version && libxl_get_physinfo(ctx, &info) == 0) {
        facts->has_xen = true;
        facts->xen_major = (unsigned)version->xen_version_major;
        facts->xen_minor = (unsigned)version->xen_version_minor;
        facts->total_kib = info.total_pages * KIB_A_PAGE;
        if (info.free_pages > info.outstanding_pages)
            facts->free_kib =
                (info.free_pages - info.outstanding_pages) * KIB_A_PAGE;
        facts->nr_cpus = info.nr_cpus;
        facts->pv = yes_or_no(info.cap_pv);
        facts->hvm = yes_or_no(info.cap_hvm);
        facts->hap = yes_or_no(info.cap_hap);
        facts->shadow = yes_or_no(info.cap_shadow);
    }
    libxl_physinfo_dispose(&info);
}

static void ask_autoballoon(struct facts_host *facts, libxl_ctx *ctx)
{
    const libxl_version_info *version = libxl_get_version_info(ctx);
    char *text = calloc(1, XL_CONF_BYTES);
    FILE *conf = fopen(XL_CONF, "re");
    size_t nr_bytes = 0;

    if (text && conf)
        nr_bytes = fread(text, 1, XL_CONF_BYTES - 1, conf);
    if (text && version && version->commandline) {
        text[nr_bytes] = 0;
        facts->autoballoon = xl_conf_autoballoon(text, version->commandline)
                                 ? FACTS_YES
                                 : FACTS_NO;
    }
    if (conf)
        fclose(conf);
    free(text);
}

static void ask_domain(struct facts_host *facts,
                       const struct facts_query *query, libxl_ctx *ctx,
                       const libxl_dominfo *info)
{
    struct facts_clash clash = {.domid = info->domid};
    char *name = libxl_domid_to_name(ctx, info->domid);

    if (name && strlen(name) < sizeof(clash.name))
        memcpy(clash.name, name, strlen(name) + 1);
    free(name);
    snprintf(clash.uuid, sizeof(clash.uuid), LIBXL_UUID_FMT,
             LIBXL_UUID_BYTES(info->uuid));
    if (query->domid && info->domid == query->domid)
        facts->domid_taken = FACTS_YES;
    if (facts_is_clash(query, &clash) && facts->nr_clashes < FACTS_MAX_CLASHES)
        facts->clashes[facts->nr_clashes++] = clash;
}

static void ask_domains(struct facts_host *facts,
                        const struct facts_query *query, libxl_ctx *ctx)
{
    int nr_domains;
    libxl_dominfo *list = libxl_list_domain(ctx, &nr_domains);

    if (!list)
        return;
    facts->has_clashes = true;
    facts->domid_taken = query->domid ? FACTS_NO : FACTS_UNKNOWN;
    /* A dying one is in nobody's way; one may stay for long. */
    for (int i = 0; i < nr_domains; i++) {
        if (!list[i].dying)
            ask_domain(facts, query, ctx, &list[i]);
    }
    libxl_dominfo_list_free(list, nr_domains);
}

static void take_pool(struct facts_host *facts, const libxl_cpupoolinfo *info)
{

    snprintf(facts->sched, sizeof(facts->sched), "%s",
             libxl_scheduler_to_string(info->sched));
    for (int cpu = 0; cpu < 8 * (int)info->cpumap.size; cpu++) {
        if (libxl_bitmap_test(&info->cpumap, cpu))
            facts_cpus_add(&facts->cpus, (unsigned)cpu);
    }
    facts->has_cpus = true;
}

/* The pool that the guest will be in: the first, if it names none. */
static void ask_pool(struct facts_host *facts, const struct facts_query *query,
                     libxl_ctx *ctx)
{
    libxl_cpupoolinfo info;
    uint32_t pool = 0;

    if (query->pool[0])
        facts->pool = yes_or_no(libxl_cpupool_qualifier_to_cpupoolid(
                                    ctx, query->pool, &pool, NULL) == 0);
    if (facts->pool == FACTS_NO)
        return;
    libxl_cpupoolinfo_init(&info);
    if (libxl_cpupool_info(ctx, &info, pool) == 0)
        take_pool(facts, &info);
    libxl_cpupoolinfo_dispose(&info);
}

static void read_clock(struct facts_host *facts)
{
    struct timespec now;

    facts->has_clock = clock_gettime(CLOCK_REALTIME, &now) == 0;
    if (facts->has_clock)
        facts->clock_ns =
            (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

int facts_host_gather(struct host *host, const struct facts_query *query,
                      const char *version, struct facts_host *ret_host,
                      struct xcx_err *err)
{
    memset(ret_host, 0, sizeof(*ret_host));
    snprintf(ret_host->host, sizeof(ret_host->host), "%s", host->name);
    snprintf(ret_host->boot, sizeof(ret_host->boot), "%s", host->boot);
    snprintf(ret_host->version, sizeof(ret_host->version), "%s", version);
    ask_physinfo(ret_host, host->ctx);
    if (!ret_host->has_xen)
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                           "libxl does not say what this host has");
    ask_autoballoon(ret_host, host->ctx);
    ask_domains(ret_host, query, host->ctx);
    ask_pool(ret_host, query, host->ctx);
    for (unsigned i = 0; i < query->nr_files; i++)
        ret_host->files[i] =
            facts_look_at_file(query->files[i], query->kinds[i]);
    ret_host->nr_files = query->nr_files;
    for (unsigned i = 0; i < query->nr_bridges; i++)
        ret_host->bridges[i] = look_at_bridge(query->bridges[i]);
    ret_host->nr_bridges = query->nr_bridges;
    facts_ports_look(query, ret_host);
    ret_host->has_cpu_policy =
        xcx_cpu_policy_of_host(query->kind != DOMAIN_PV, &ret_host->cpu_policy,
                               NULL) == 0;
    read_clock(ret_host); /* last: it is compared with when this arrives */
    return 0;
}
