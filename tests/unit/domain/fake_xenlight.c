/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake_xenlight.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxl_utils.h>

struct fake_xenlight fake_xenlight;

void fake_xenlight_reset(void)
{
    fake_xenlight = (struct fake_xenlight){
        .next_domid = 20,
        .on_poweroff = LIBXL_ACTION_ON_SHUTDOWN_DESTROY,
        .on_reboot = LIBXL_ACTION_ON_SHUTDOWN_RESTART,
        .on_crash = LIBXL_ACTION_ON_SHUTDOWN_DESTROY,
        .on_watchdog = LIBXL_ACTION_ON_SHUTDOWN_DESTROY,
        .on_soft_reset = LIBXL_ACTION_ON_SHUTDOWN_SOFT_RESET,
    };
}

static void __attribute__((format(printf, 1, 2))) called(const char *fmt, ...)
{
    size_t used = strlen(fake_xenlight.calls);
    va_list ap;

    va_start(ap, fmt);
    if (used)
        fake_xenlight.calls[used++] = ' ';
    vsnprintf(fake_xenlight.calls + used, sizeof(fake_xenlight.calls) - used,
              fmt, ap);
    va_end(ap);
}

static struct fake_domain *find(uint32_t domid)
{
    for (unsigned i = 0; i < fake_xenlight.nr_domains; i++) {
        struct fake_domain *domain = &fake_xenlight.domains[i];

        if (domain->domid == domid && !domain->gone)
            return domain;
    }
    return NULL;
}

/* ---- looking ------------------------------------------------------------ */

static void describe(const struct fake_domain *domain, libxl_dominfo *info)
{
    info->domid = domain->domid;
    libxl_uuid_from_string(&info->uuid, domain->uuid);
    info->domain_type =
        domain->hvm ? LIBXL_DOMAIN_TYPE_HVM : LIBXL_DOMAIN_TYPE_PV;
    info->paused = domain->paused;
    info->shutdown = domain->shutdown;
    info->dying = domain->dying;
    info->shutdown_reason = domain->reason;
    info->current_memkb = 1024;
    info->cpu_time = domain->has_run ? 1 : 0;
}

int libxl_domain_info(libxl_ctx *ctx, libxl_dominfo *info, uint32_t domid)
{
    const struct fake_domain *domain = find(domid);

    (void)ctx;
    if (fake_xenlight.rc)
        return fake_xenlight.rc;
    if (!domain)
        return ERROR_DOMAIN_NOTFOUND;
    describe(domain, info);
    return 0;
}

libxl_dominfo *libxl_list_domain(libxl_ctx *ctx, int *nr)
{
    libxl_dominfo *list = calloc(FAKE_NR_DOMAINS, sizeof(*list));

    (void)ctx;
    *nr = 0;
    for (unsigned i = 0; i < fake_xenlight.nr_domains; i++) {
        if (fake_xenlight.domains[i].gone)
            continue;
        libxl_dominfo_init(&list[*nr]);
        describe(&fake_xenlight.domains[i], &list[*nr]);
        ++*nr;
    }
    return list;
}

char *libxl_domid_to_name(libxl_ctx *ctx, uint32_t domid)
{
    const struct fake_domain *domain = find(domid);

    (void)ctx;
    return domain && domain->name ? strdup(domain->name) : NULL;
}

int libxl_name_to_domid(libxl_ctx *ctx, const char *name, uint32_t *domid)
{
    (void)ctx;
    for (unsigned i = 0; i < fake_xenlight.nr_domains; i++) {
        const struct fake_domain *domain = &fake_xenlight.domains[i];

        if (!domain->gone && domain->name && strcmp(domain->name, name) == 0) {
            *domid = domain->domid;
            return 0;
        }
    }
    return ERROR_INVAL;
}

int libxl_get_stubdom_id(libxl_ctx *ctx, int domid)
{
    const struct fake_domain *domain = find((uint32_t)domid);

    (void)ctx;
    return domain ? domain->stubdom : 0;
}

int libxl_retrieve_domain_configuration(libxl_ctx *ctx, uint32_t domid,
                                        libxl_domain_config *config,
                                        const libxl_asyncop_how *how)
{
    const struct fake_domain *domain = find(domid);

    (void)ctx;
    (void)how;
    if (fake_xenlight.config_fails || !domain)
        return ERROR_FAIL;
    config->c_info.name = strdup(domain->name);
    config->on_poweroff = fake_xenlight.on_poweroff;
    config->on_reboot = fake_xenlight.on_reboot;
    config->on_crash = fake_xenlight.on_crash;
    config->on_watchdog = fake_xenlight.on_watchdog;
    config->on_soft_reset = fake_xenlight.on_soft_reset;
    config->disks = calloc(2, sizeof(*config->disks));
    config->num_disks = 2;
    for (int i = 0; i < 2; i++)
        libxl_device_disk_init(&config->disks[i]);
    config->disks[0].vdev = strdup("xvda");
    config->disks[1].vdev = strdup("hdc");
    config->disks[1].removable = 1;
    return 0;
}

char *libxl_domain_config_to_json(libxl_ctx *ctx, libxl_domain_config *config)
{
    (void)ctx;
    fake_xenlight.config_domid = config->c_info.domid;
    return strdup("{}");
}

/* ---- acting ------------------------------------------------------------- */

int libxl_domain_unpause(libxl_ctx *ctx, uint32_t domid,
                         const libxl_asyncop_how *how)
{
    (void)ctx;
    (void)how;
    called("unpause:%u", domid);
    return fake_xenlight.rc;
}

int libxl_domain_destroy(libxl_ctx *ctx, uint32_t domid,
                         const libxl_asyncop_how *how)
{
    struct fake_domain *domain = find(domid);

    (void)ctx;
    (void)how;
    called("destroy:%u", domid);
    if (domain)
        domain->gone = true;
    return 0;
}

int libxl_domain_resume(libxl_ctx *ctx, uint32_t domid, int suspend_cancel,
                        const libxl_asyncop_how *how)
{
    struct fake_domain *domain = find(domid);

    (void)ctx;
    (void)how;
    called("resume:%u:%d", domid, suspend_cancel);
    if (fake_xenlight.resume_fails) {
        fake_xenlight.resume_fails--;
        return ERROR_QMP_GENERIC_ERROR;
    }
    domain->shutdown = false;
    return 0;
}

int libxl_domain_preserve(libxl_ctx *ctx, uint32_t domid,
                          libxl_domain_create_info *info, const char *suffix,
                          libxl_uuid uuid)
{
    (void)ctx;
    (void)uuid;
    called("preserve:%u:%s%.1s", domid, info->name, suffix);
    return fake_xenlight.rc;
}

int libxl_domain_core_dump(libxl_ctx *ctx, uint32_t domid, const char *file,
                           const libxl_asyncop_how *how)
{
    (void)ctx;
    (void)how;
    called("dump:%u:%s", domid, file);
    return 0;
}

const libxl_version_info *libxl_get_version_info(libxl_ctx *ctx)
{
    static libxl_version_info info;

    (void)ctx;
    info.commandline =
        (char *)(fake_xenlight.xen_command_line ? fake_xenlight.xen_command_line
                                                : "dom0_mem=1024M");
    return &info;
}

int libxl_domain_need_memory(libxl_ctx *ctx, libxl_domain_config *config,
                             uint32_t domid, uint64_t *need_kib)
{
    (void)ctx, (void)config, (void)domid;
    *need_kib = fake_xenlight.need_kib;
    return fake_xenlight.rc;
}

int libxl_get_free_memory(libxl_ctx *ctx, uint64_t *free_kib)
{
    (void)ctx;
    *free_kib = fake_xenlight.free_kib;
    return 0;
}

int libxl_set_memory_target(libxl_ctx *ctx, uint32_t domid, int64_t target_kib,
                            int relative, int enforce)
{
    (void)ctx, (void)relative, (void)enforce;
    called("target:%u:%lld", domid, (long long)target_kib);
    if (!fake_xenlight.dom0_keeps_all)
        fake_xenlight.free_kib -= (uint64_t)target_kib;
    return 0;
}

int libxl_wait_for_memory_target(libxl_ctx *ctx, uint32_t domid, int wait_s)
{
    (void)ctx, (void)domid, (void)wait_s;
    return fake_xenlight.dom0_keeps_all ? ERROR_FAIL : 0;
}

int libxl_domain_create_new(libxl_ctx *ctx, libxl_domain_config *config,
                            uint32_t *domid, const libxl_asyncop_how *how,
                            const libxl_asyncprogress_how *console)
{
    (void)ctx;
    (void)how;
    (void)console;
    *domid = fake_xenlight.next_domid++;
    called("create:%s:%u", config->c_info.name, *domid);
    if (fake_xenlight.create_fails) {
        fake_xenlight.create_fails--;
        return ERROR_FAIL;
    }
    return 0;
}

int libxl_domain_soft_reset(libxl_ctx *ctx, libxl_domain_config *config,
                            uint32_t domid, const libxl_asyncop_how *how,
                            const libxl_asyncprogress_how *console)
{
    (void)ctx;
    (void)config;
    (void)how;
    (void)console;
    called("reset:%u", domid);
    return fake_xenlight.rc;
}

int libxl_cdrom_insert(libxl_ctx *ctx, uint32_t domid, libxl_device_disk *disk,
                       const libxl_asyncop_how *how)
{
    (void)ctx;
    (void)disk;
    (void)how;
    called("insert:%u", domid);
    return 0;
}

/* ---- events ------------------------------------------------------------- */

int libxl_evenable_domain_death(libxl_ctx *ctx, uint32_t domid,
                                libxl_ev_user user,
                                libxl_evgen_domain_death **ret)
{
    (void)ctx;
    (void)user;
    called("watch:%u", domid);
    *ret = calloc(1, 1);
    fake_xenlight.nr_watched++;
    return 0;
}

void libxl_evdisable_domain_death(libxl_ctx *ctx,
                                  libxl_evgen_domain_death *death)
{
    (void)ctx;
    fake_xenlight.nr_watched--;
    free(death);
}

int libxl_evenable_disk_eject(libxl_ctx *ctx, uint32_t domid, const char *vdev,
                              libxl_ev_user user, libxl_evgen_disk_eject **ret)
{
    (void)ctx;
    (void)user;
    called("watch:%u:%s", domid, vdev);
    *ret = calloc(1, 1);
    fake_xenlight.nr_watched++;
    return 0;
}

void libxl_evdisable_disk_eject(libxl_ctx *ctx, libxl_evgen_disk_eject *eject)
{
    (void)ctx;
    fake_xenlight.nr_watched--;
    free(eject);
}

int libxl_event_wait(libxl_ctx *ctx, libxl_event **ret, uint64_t mask,
                     libxl_event_predicate *predicate, void *user)
{
    const struct fake_event *next =
        &fake_xenlight.events[fake_xenlight.next_event];

    (void)ctx;
    (void)mask;
    (void)predicate;
    (void)user;
    if (fake_xenlight.next_event == FAKE_NR_EVENTS || !next->type)
        return ERROR_FAIL;
    fake_xenlight.next_event++;
    *ret = calloc(1, sizeof(**ret));
    libxl_event_init(*ret);
    (*ret)->domid = next->domid;
    libxl_event_init_type(*ret, (libxl_event_type)next->type);
    if (next->type == LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN)
        (*ret)->u.domain_shutdown.shutdown_reason = (uint8_t)next->reason;
    return 0;
}

int libxl_event_check(libxl_ctx *ctx, libxl_event **ret, uint64_t mask,
                      libxl_event_predicate *predicate, void *user)
{
    (void)ctx;
    (void)ret;
    (void)mask;
    (void)predicate;
    (void)user;
    return ERROR_NOT_READY;
}

void libxl_event_free(libxl_ctx *ctx, libxl_event *event)
{
    (void)ctx;
    libxl_event_dispose(event);
    free(event);
}
