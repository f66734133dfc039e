/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The needs of a guest, and their JSON. */
#include "facts.h"

#include <stdlib.h>
#include <string.h>

#include "facts_json.h"

static const char *const kind_names[] = {"pv", "pvh", "hvm"};
static const char *const file_kind_names[] = {"any", "disk", "script", "boot",
                                              "device-model"};

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* ---- CPUs --------------------------------------------------------------- */

void facts_cpus_add(struct facts_cpus *cpus, unsigned cpu)
{
    if (cpu < FACTS_MAX_CPUS)
        cpus->words[cpu / 64] |= UINT64_C(1) << cpu % 64;
}

bool facts_cpus_have(const struct facts_cpus *cpus, unsigned cpu)
{
    return cpu < FACTS_MAX_CPUS && cpus->words[cpu / 64] >> cpu % 64 & 1;
}

bool facts_cpus_meet(const struct facts_cpus *a, const struct facts_cpus *b)
{
    for (size_t i = 0; i < NR(a->words); i++) {
        if (a->words[i] & b->words[i])
            return true;
    }
    return false;
}

/* ---- versions ----------------------------------------------------------- */

bool facts_version_is_older(const char *version, const char *than)
{
    for (;;) {
        char *version_rest, *than_rest;
        unsigned long number = strtoul(version, &version_rest, 10);
        unsigned long other = strtoul(than, &than_rest, 10);

        if (version_rest == version || than_rest == than)
            return false;
        if (number != other)
            return number < other;
        if (*version_rest != '.' || *than_rest != '.')
            return false;
        version = version_rest + 1;
        than = than_rest + 1;
    }
}

/* ---- the query ---------------------------------------------------------- */

int facts_query_file(const struct facts_query *query, const char *path)
{
    for (unsigned i = 0; i < query->nr_files; i++) {
        if (strcmp(query->files[i], path) == 0)
            return (int)i;
    }
    return -1;
}

int facts_query_bridge(const struct facts_query *query, const char *bridge)
{
    for (unsigned i = 0; i < query->nr_bridges; i++) {
        if (strcmp(query->bridges[i], bridge) == 0)
            return (int)i;
    }
    return -1;
}

bool facts_is_clash(const struct facts_query *query,
                    const struct facts_clash *domain)
{
    size_t length = strlen(query->name);

    if (domain->domid == 0)
        return false;
    if (strcmp(domain->uuid, query->uuid) == 0)
        return true;
    return strncmp(domain->name, query->name, length) == 0 &&
           (!domain->name[length] ||
            strcmp(domain->name + length, DOMAIN_SUFFIX_INCOMING) == 0);
}

/* Once each, as many as there is room for: the rest is "not looked at". */
static void ask_file(struct facts_query *query, const char *path,
                     enum facts_file_kind kind)
{
    if (path[0] != '/' || query->nr_files == FACTS_MAX_FILES ||
        facts_query_file(query, path) >= 0)
        return;
    query->kinds[query->nr_files] = kind;
    memcpy(query->files[query->nr_files++], path, strlen(path) + 1);
}

static void ask_bridge(struct facts_query *query, const char *bridge)
{
    if (!bridge[0] || query->nr_bridges == FACTS_MAX_BRIDGES ||
        facts_query_bridge(query, bridge) >= 0)
        return;
    memcpy(query->bridges[query->nr_bridges++], bridge, strlen(bridge) + 1);
}

void facts_query_of(const struct facts_guest *guest,
                    struct facts_query *ret_query)
{
    memset(ret_query, 0, sizeof(*ret_query));
    memcpy(ret_query->name, guest->name, sizeof(ret_query->name));
    memcpy(ret_query->uuid, guest->uuid, sizeof(ret_query->uuid));
    memcpy(ret_query->pool, guest->pool, sizeof(ret_query->pool));
    ret_query->kind = guest->kind;
    for (unsigned i = 0; i < guest->nr_disks; i++) {
        const struct facts_disk *disk = &guest->disks[i];

        ask_file(ret_query, disk->script, FACTS_KIND_SCRIPT);
        if (disk->is_path)
            ask_file(ret_query, disk->path, FACTS_KIND_DISK);
    }
    for (unsigned i = 0; i < guest->nr_nics; i++) {
        const struct facts_nic *nic = &guest->nics[i];

        if (nic->elsewhere)
            continue;
        ask_file(ret_query, nic->script, FACTS_KIND_SCRIPT);
        ask_bridge(ret_query, nic->bridge);
    }
    ask_file(ret_query,
             guest->device_model[0] ? guest->device_model : guest->qemu_path,
             FACTS_KIND_DEVICE_MODEL);
    for (unsigned i = 0; i < guest->nr_boot_files; i++)
        ask_file(ret_query, guest->boot_files[i].path, FACTS_KIND_BOOT);
    for (unsigned i = 0; i < guest->nr_ports; i++)
        ret_query->ports[ret_query->nr_ports++] = guest->ports[i].port;
    if (guest->keep_domid)
        ret_query->domid = guest->domid;
}

void facts_query_put(struct json *json, const char *key,
                     const struct facts_query *query)
{
    json_open_map(json, key);
    json_text(json, "name", query->name);
    json_text(json, "uuid", query->uuid);
    json_text(json, "kind", kind_names[query->kind]);
    if (query->pool[0])
        json_text(json, "pool", query->pool);
    json_open_array(json, "files");
    for (unsigned i = 0; i < query->nr_files; i++)
        json_text(json, NULL, query->files[i]);
    json_close_array(json);
    json_open_array(json, "kinds");
    for (unsigned i = 0; i < query->nr_files; i++)
        json_text(json, NULL, file_kind_names[query->kinds[i]]);
    json_close_array(json);
    json_open_array(json, "ports");
    for (unsigned i = 0; i < query->nr_ports; i++)
        json_count(json, NULL, query->ports[i]);
    json_close_array(json);
    if (query->domid)
        json_count(json, "domid", query->domid);
    json_open_array(json, "bridges");
    for (unsigned i = 0; i < query->nr_bridges; i++)
        json_text(json, NULL, query->bridges[i]);
    json_close_array(json);
    json_close_map(json);
}

/* ---- the query, read ---------------------------------------------------- */

/* Older versions name no kinds. */
static int get_kinds(const struct message *from, struct facts_query *query,
                     struct xcx_err *err)
{
    yajl_val *values = NULL;
    size_t nr;

    if (facts_get_array(from, "kinds", FACTS_MAX_FILES, &values, &nr, err))
        return -1;
    if (nr && nr != query->nr_files)
        return facts_improper("kinds", err);
    for (size_t i = 0; i < nr; i++) {
        const char *text = YAJL_GET_STRING(values[i]);

        /* A kind that is not known here is of a newer version. */
        for (size_t kind = 0; text && kind < NR(file_kind_names); kind++) {
            if (strcmp(text, file_kind_names[kind]) == 0)
                query->kinds[i] = (enum facts_file_kind)kind;
        }
    }
    return 0;
}

static int get_ports(const struct message *from, struct facts_query *query,
                     struct xcx_err *err)
{
    uint32_t ports[FACTS_MAX_PORTS];
    size_t nr = 0;

    if (facts_get_u32s(from, "ports", FACTS_MAX_PORTS, 1, ports, &nr, err))
        return -1;
    for (size_t i = 0; i < nr; i++) {
        if (ports[i] == 0 || ports[i] > UINT16_MAX)
            return facts_improper("ports", err);
        query->ports[i] = (uint16_t)ports[i];
    }
    query->nr_ports = (unsigned)nr;
    return 0;
}

static int get_query(const struct message *from, struct facts_query *query,
                     struct xcx_err *err)
{
    unsigned kind;

    if (message_copy(from, "name", 1, query->name, sizeof(query->name), err) ||
        message_uuid(from, "uuid", query->uuid, sizeof(query->uuid), err) ||
        facts_get_name_of(from, "kind", kind_names, NR(kind_names), &kind,
                          err) ||
        facts_get_text(from, "pool", query->pool, sizeof(query->pool), err) ||
        facts_get_texts(from, "files", FACTS_MAX_FILES, query->files[0],
                        FACTS_PATH_BYTES, &query->nr_files, err) ||
        facts_get_texts(from, "bridges", FACTS_MAX_BRIDGES, query->bridges[0],
                        FACTS_NAME_BYTES, &query->nr_bridges, err) ||
        get_kinds(from, query, err) || get_ports(from, query, err) ||
        facts_get_unsigned(from, "domid", UINT16_MAX, &query->domid, err))
        return -1;
    query->kind = (enum domain_kind)kind;
    for (unsigned i = 0; i < query->nr_files; i++) {
        if (query->files[i][0] != '/')
            return facts_improper("files", err);
    }
    return 0;
}

int facts_query_get(yajl_val object, struct facts_query *ret_query,
                    struct xcx_err *err)
{
    const struct message from = {.root = object, .type = "facts' guest"};
    struct facts_query query = {0};

    if (!YAJL_IS_OBJECT(object))
        return facts_improper("guest", err);
    if (get_query(&from, &query, err))
        return -1;
    *ret_query = query;
    return 0;
}
