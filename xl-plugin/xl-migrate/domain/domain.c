/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libxl.h>
#include <libxl_utils.h>
#include <xenstore.h>

#define UUID_DIGITS         32
#define UUID_TEXT_BYTES     36
#define RESUME_PAUSE_MS     250
#define NS_PER_MS           1000000
#define MS_PER_S            1000
#define XENSTORE_PATH_BYTES 64

const char *domain_kind_name(enum domain_kind kind)
{
    static const char *const names[] = {
        [DOMAIN_PV] = "pv", [DOMAIN_PVH] = "pvh", [DOMAIN_HVM] = "hvm"};

    return names[kind];
}

/* ---- UUIDs -------------------------------------------------------------- */

static bool is_dash_place(size_t i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

bool domain_uuid_normalise(const char *text, char ret[DOMAIN_UUID_BYTES])
{
    if (strlen(text) != UUID_TEXT_BYTES)
        return false;
    for (size_t i = 0; i < UUID_TEXT_BYTES; i++) {
        if (is_dash_place(i) ? text[i] != '-'
                             : !isxdigit((unsigned char)text[i]))
            return false;
    }
    for (size_t i = 0; i <= UUID_TEXT_BYTES; i++)
        ret[i] = (char)tolower((unsigned char)text[i]);
    return true;
}

static void uuid_text(const libxl_uuid *uuid, char ret[DOMAIN_UUID_BYTES])
{
    snprintf(ret, DOMAIN_UUID_BYTES, LIBXL_UUID_FMT, LIBXL_UUID_BYTES(*uuid));
}

/* ---- looking ------------------------------------------------------------ */

/* A short text of libxl's own part of xenstore; "" if there is none. */
static void read_libxl_text(struct host *host, uint32_t domid, const char *what,
                            char *ret, size_t nr_bytes)
{
    char path[XENSTORE_PATH_BYTES];
    char *text;
    unsigned len;

    snprintf(path, sizeof(path), "/libxl/%" PRIu32 "/%s", domid, what);
    text = xs_read(host->xs, XBT_NULL, path, &len);
    snprintf(ret, nr_bytes, "%s", text ? text : "");
    free(text);
}

/* Xen does not tell PVH from HVM; libxl noted it when it built the domain. */
static enum domain_kind kind_of(struct host *host, const libxl_dominfo *info)
{
    char type[8];

    if (info->domain_type == LIBXL_DOMAIN_TYPE_PV)
        return DOMAIN_PV;
    read_libxl_text(host, info->domid, "type", type, sizeof(type));
    return strcmp(type, "pvh") == 0 ? DOMAIN_PVH : DOMAIN_HVM;
}

static enum domain_state state_of(const libxl_dominfo *info)
{
    if (info->shutdown)
        return info->shutdown_reason == LIBXL_SHUTDOWN_REASON_SUSPEND
                   ? DOMAIN_SUSPENDED
                   : DOMAIN_SHUT_DOWN;
    return info->paused ? DOMAIN_PAUSED : DOMAIN_RUNS;
}

typedef void describe_fn(struct host *host, const libxl_dominfo *info,
                         struct domain *ret);

/* Describes a domain by what Xen itself knows. */
static void describe_state(struct host *host, const libxl_dominfo *info,
                           struct domain *ret)
{
    (void)host;
    *ret = (struct domain){
        .domid = info->domid,
        .state = state_of(info),
        .memory_kib = info->current_memkb,
        .has_run = info->cpu_time != 0,
    };
    uuid_text(&info->uuid, ret->uuid);
}

static void describe_name(struct host *host, const libxl_dominfo *info,
                          struct domain *ret)
{
    char *name = libxl_domid_to_name(host->ctx, info->domid);

    describe_state(host, info, ret);
    snprintf(ret->name, sizeof(ret->name), "%s", name ? name : "");
    free(name);
}

/* All of it; each part is a question to xenstored. */
static void describe(struct host *host, const libxl_dominfo *info,
                     struct domain *ret)
{
    char version[32];
    int stubdom = libxl_get_stubdom_id(host->ctx, (int)info->domid);

    read_libxl_text(host, info->domid, "dm-version", version, sizeof(version));
    describe_name(host, info, ret);
    ret->kind = kind_of(host, info);
    ret->stubdom_domid = stubdom > 0 ? (uint32_t)stubdom : 0;
    ret->old_device_model = strcmp(version, "qemu_xen_traditional") == 0;
}

/* 1: described, 0: there is none (any more), -1: err. */
static int look_as(struct host *host, uint32_t domid, describe_fn *describe_it,
                   struct domain *ret, struct xcx_err *err)
{
    libxl_dominfo info;
    int rc, found = 0;

    libxl_dominfo_init(&info);
    rc = libxl_domain_info(host->ctx, &info, domid);
    if (rc && rc != ERROR_DOMAIN_NOTFOUND)
        found = xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                            "domain %" PRIu32 ": libxl cannot look at it (%d)",
                            domid, rc);
    else if (!rc && !info.dying) {
        describe_it(host, &info, ret);
        found = 1;
    }
    libxl_dominfo_dispose(&info);
    return found;
}

static int look(struct host *host, uint32_t domid, struct domain *ret,
                struct xcx_err *err)
{
    return look_as(host, domid, describe, ret, err);
}

int domain_get(struct host *host, uint32_t domid, struct domain *ret,
               struct xcx_err *err)
{
    int found = look(host, domid, ret, err);

    if (found == 0)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "domain %" PRIu32 " does not exist", domid);
    return found < 0 ? -1 : 0;
}

/* ---- finding ------------------------------------------------------------ */

typedef bool match_fn(const struct domain *domain);

/*
 * How many guests match, state and name of the first of them in *ret; -1: err.
 * Domains that go away meanwhile are none.
 */
static int find_all(struct host *host, const char *uuid, match_fn *matches,
                    struct domain *ret, struct xcx_err *err)
{
    struct domain domain;
    int nr_domains, nr_found = 0;
    libxl_dominfo *list = libxl_list_domain(host->ctx, &nr_domains);

    if (!list)
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                           "libxl cannot list this host's domains");
    for (int i = 0; i < nr_domains; i++) {
        char text[DOMAIN_UUID_BYTES];

        uuid_text(&list[i].uuid, text);
        if (!list[i].domid || list[i].dying || strcmp(text, uuid) != 0)
            continue;
        describe_name(host, &list[i], &domain);
        if (!matches(&domain))
            continue;
        if (nr_found++ == 0)
            *ret = domain;
    }
    libxl_dominfo_list_free(list, nr_domains);
    return nr_found;
}

static bool match_any(const struct domain *domain)
{
    (void)domain;
    return true;
}

/* 1, 0, -1 as look() has it; two of a UUID are an error. */
static int find_uuid(struct host *host, const char *uuid, struct domain *ret,
                     struct xcx_err *err)
{
    int nr = find_all(host, uuid, match_any, ret, err);

    if (nr > 1)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "%d domains have the UUID %s: name one by its "
                           "domain id",
                           nr, uuid);
    return nr == 1 ? look(host, ret->domid, ret, err) : nr;
}

static bool parse_domid(const char *text, uint32_t *ret)
{
    char *rest;
    unsigned long value;

    if (!isdigit((unsigned char)text[0]) || strlen(text) > 5)
        return false;
    value = strtoul(text, &rest, 10);
    *ret = (uint32_t)value;
    return !*rest;
}

/* By id or UUID. 1, 0, -1 as look() has it. */
static int find_number(struct host *host, const char *text, struct domain *ret,
                       struct xcx_err *err)
{
    char uuid[DOMAIN_UUID_BYTES];
    uint32_t domid;

    if (domain_uuid_normalise(text, uuid))
        return find_uuid(host, uuid, ret, err);
    if (parse_domid(text, &domid))
        return look(host, domid, ret, err);
    return 0;
}

int domain_find(struct host *host, const char *text, struct domain *ret,
                struct xcx_err *err)
{
    struct domain domain;
    uint32_t domid;
    int found = find_number(host, text, &domain, err);

    if (found == 0 && *text &&
        libxl_name_to_domid(host->ctx, text, &domid) == 0)
        found = look(host, domid, &domain, err);
    if (found < 0)
        return -1;
    if (found == 0)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "there is no domain \"%.64s\" on this host", text);
    if (domain.domid == 0)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "\"%.64s\" is Dom0, not a guest", text);
    *ret = domain;
    return 0;
}

/* ---- handover's looks --------------------------------------------------- */

/* The guest stands still for most of these: no more is asked than they need. */

/*
 * Not by libxl, which does not tell a name that is gone, as it is while the
 * domain is destroyed, from a xenstored that does not answer.
 */
static int read_name(struct host *host, uint32_t domid,
                     char ret[DOMAIN_NAME_BYTES], struct xcx_err *err)
{
    char path[XENSTORE_PATH_BYTES];
    char *name;
    unsigned len;

    snprintf(path, sizeof(path), "/local/domain/%" PRIu32 "/name", domid);
    name = xs_read(host->xs, XBT_NULL, path, &len);
    if (!name && errno != ENOENT)
        return xcx_err_set(err, XCX_ERR_RESOURCE, errno,
                           "domain %" PRIu32 ": xenstore: reading its name",
                           domid);
    snprintf(ret, DOMAIN_NAME_BYTES, "%s", name ? name : "");
    free(name);
    return 0;
}

int domain_look_source(struct host *host, uint32_t domid, const char *uuid,
                       bool *ret_there, struct domain *ret, struct xcx_err *err)
{
    struct domain domain;
    int found = look_as(host, domid, describe_state, &domain, err);

    if (found < 0)
        return -1;
    *ret_there = found && strcmp(domain.uuid, uuid) == 0;
    if (!*ret_there)
        return 0;
    if (read_name(host, domid, domain.name, err))
        return -1;
    *ret = domain;
    return 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t text_bytes = strlen(text), end_bytes = strlen(end);

    return text_bytes >= end_bytes &&
           strcmp(text + text_bytes - end_bytes, end) == 0;
}

int domain_list_incoming(struct host *host, struct domain **ret,
                         unsigned *ret_nr, struct xcx_err *err)
{
    int nr_domains;
    libxl_dominfo *list = libxl_list_domain(host->ctx, &nr_domains);
    struct domain *found = NULL;

    if (list)
        found = calloc((size_t)nr_domains + 1, sizeof(*found));
    if (!found) {
        libxl_dominfo_list_free(list, list ? nr_domains : 0);
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                           "libxl cannot list this host's domains");
    }
    *ret_nr = 0;
    for (int i = 0; i < nr_domains; i++) {
        struct domain *domain = &found[*ret_nr];

        if (!list[i].domid || list[i].dying)
            continue;
        describe_name(host, &list[i], domain);
        *ret_nr += ends_with(domain->name, DOMAIN_SUFFIX_INCOMING);
    }
    libxl_dominfo_list_free(list, nr_domains);
    *ret = found;
    return 0;
}

static bool match_not_away(const struct domain *domain)
{
    return !ends_with(domain->name, DOMAIN_SUFFIX_AWAY);
}

/* xl gives a copy its name as the last thing before it says that it is done. */
static bool is_being_built(const struct domain *domain, const char *name)
{
    char incoming[DOMAIN_NAME_BYTES + sizeof(DOMAIN_SUFFIX_INCOMING)];

    snprintf(incoming, sizeof(incoming), "%s%s", name, DOMAIN_SUFFIX_INCOMING);
    return !domain->name[0] || strcmp(domain->name, incoming) == 0;
}

int domain_look_target(struct host *host, const char *uuid, const char *name,
                       enum handover_copy *ret_copy, uint32_t *ret_domid,
                       struct xcx_err *err)
{
    struct domain domain;
    int nr = find_all(host, uuid, match_not_away, &domain, err);

    if (nr < 0)
        return -1;
    if (nr > 1)
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "%d domains on this host have the UUID %s", nr,
                           uuid);
    *ret_domid = nr ? domain.domid : 0;
    if (nr == 0)
        *ret_copy = HANDOVER_ABSENT;
    else if (is_being_built(&domain, name))
        *ret_copy = HANDOVER_BUILDING;
    else
        *ret_copy =
            domain.state == DOMAIN_PAUSED ? HANDOVER_PAUSED : HANDOVER_RUNNING;
    return 0;
}

int domain_look_copy(struct host *host, uint32_t domid, const char *uuid,
                     const char *name, enum handover_copy *ret_copy,
                     struct xcx_err *err)
{
    struct domain domain;
    int found = look_as(host, domid, describe_name, &domain, err);

    if (found < 0)
        return -1;
    if (!found || strcmp(domain.uuid, uuid) != 0)
        *ret_copy = HANDOVER_ABSENT;
    else if (domain.has_run || domain.state != DOMAIN_PAUSED)
        *ret_copy = HANDOVER_RUNNING;
    else
        *ret_copy =
            is_being_built(&domain, name) ? HANDOVER_BUILDING : HANDOVER_PAUSED;
    return 0;
}

int domain_find_other(struct host *host, const char *uuid, uint32_t but,
                      uint32_t *ret_domid, struct xcx_err *err)
{
    int nr_domains;
    libxl_dominfo *list = libxl_list_domain(host->ctx, &nr_domains);

    if (!list)
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                           "libxl cannot list this host's domains");
    *ret_domid = 0;
    for (int i = 0; i < nr_domains && !*ret_domid; i++) {
        struct domain domain;

        describe_state(host, &list[i], &domain);
        if (!domain.domid || domain.domid == but || list[i].dying ||
            strcmp(domain.uuid, uuid) != 0)
            continue;
        describe_name(host, &list[i], &domain);
        if (match_not_away(&domain))
            *ret_domid = domain.domid;
    }
    libxl_dominfo_list_free(list, nr_domains);
    return 0;
}

/* ---- configuration ------------------------------------------------------ */

int domain_config_json(struct host *host, uint32_t domid, bool keep_domid,
                       char **ret_json, struct xcx_err *err)
{
    libxl_domain_config config;
    char *json = NULL;
    int rc;

    libxl_domain_config_init(&config);
    rc = libxl_retrieve_domain_configuration(host->ctx, domid, &config, NULL);
    if (!rc) {
        config.c_info.domid = keep_domid ? domid : 0;
        json = libxl_domain_config_to_json(host->ctx, &config);
    }
    libxl_domain_config_dispose(&config);
    if (!json)
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                           "domain %" PRIu32 ": libxl has no configuration of "
                           "it (%d)",
                           domid, rc);
    *ret_json = json;
    return 0;
}

/* ---- life cycle --------------------------------------------------------- */

static int libxl_failed(uint32_t domid, const char *what, int rc,
                        struct xcx_err *err)
{
    return xcx_err_set(err, XCX_ERR_RESOURCE, 0,
                       "domain %" PRIu32 ": libxl cannot %s it (%d)", domid,
                       what, rc);
}

int domain_unpause(struct host *host, uint32_t domid, struct xcx_err *err)
{
    int rc = libxl_domain_unpause(host->ctx, domid, NULL);

    return rc ? libxl_failed(domid, "unpause", rc, err) : 0;
}

int domain_destroy(struct host *host, uint32_t domid, struct xcx_err *err)
{
    struct domain domain;
    int found = look(host, domid, &domain, err);
    int rc;

    if (found <= 0)
        return found;
    rc = libxl_domain_destroy(host->ctx, domid, NULL);
    return rc && rc != ERROR_DOMAIN_NOTFOUND
               ? libxl_failed(domid, "destroy", rc, err)
               : 0;
}

static void pause_ms(unsigned ms)
{
    struct timespec pause = {.tv_sec = ms / MS_PER_S,
                             .tv_nsec = (long)(ms % MS_PER_S) * NS_PER_MS};

    while (nanosleep(&pause, &pause) < 0 && errno == EINTR)
        ;
}

bool domain_is_away(const char *name)
{
    size_t nr_bytes = strlen(name), suffix_bytes = strlen(DOMAIN_SUFFIX_AWAY);

    return nr_bytes > suffix_bytes &&
           !strcmp(name + nr_bytes - suffix_bytes, DOMAIN_SUFFIX_AWAY);
}

int domain_resume(struct host *host, uint32_t domid, unsigned timeout_ms,
                  struct xcx_err *err)
{
    struct domain domain;
    unsigned waited_ms = 0;
    int rc;

    if (domain_get(host, domid, &domain, err) < 0)
        return -1;
    if (domain.state != DOMAIN_SUSPENDED)
        return 0;
    if (domain_is_away(domain.name))
        return xcx_err_set(err, XCX_ERR_GUEST, 0,
                           "%.100s is being moved by xl migrate, and may run "
                           "elsewhere",
                           domain.name);
    while ((rc = libxl_domain_resume(host->ctx, domid, 1, NULL)) != 0 &&
           domain.kind == DOMAIN_HVM && waited_ms < timeout_ms) {
        pause_ms(RESUME_PAUSE_MS);
        waited_ms += RESUME_PAUSE_MS;
    }
    if (!rc)
        return 0;
    libxl_failed(domid, "resume", rc, err);
    if (domain.kind == DOMAIN_HVM)
        xcx_err_prefix(err, "while a copy elsewhere holds its disk images, "
                            "its device model cannot go on");
    return -1;
}
