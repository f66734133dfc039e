/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xl-migrate receive without Xen: one domain, whose state and domid stand in
 * the file FAKE_DOMAIN ("paused 7"); what is done to it is written to FAKE_LOG.
 * FAKE_DIR/other: the domid of another domain of the same UUID.
 *
 *   FAKE_UUID=UUID         of the domain, if it is not the case's
 *   FAKE_BOOT=ID           this host's boot id
 *   FAKE_FAILS=WORD        what fails: "unpause", "keys", or a hook's phase
 */
#include "xl-migrate/domain/announce.h"
#include "xl-migrate/cli/command.h"
#include "xl-migrate/domain/device_model.h"
#include "xl-migrate/domain/domain.h"
#include "xl-migrate/facts/facts.h"
#include "xl-migrate/facts/facts_gather.h"
#include "xl-migrate/control/hooks.h"
#include "xl-migrate/receive/restore_helper.h"
#include "xl-migrate/domain/xenstore.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_source.h"

static const char *const copy_names[HANDOVER_NR_COPIES] = {
    [HANDOVER_ABSENT] = "absent",
    [HANDOVER_BUILDING] = "building",
    [HANDOVER_PAUSED] = "paused",
    [HANDOVER_RUNNING] = "running",
};

static void __attribute__((format(printf, 1, 2))) note(const char *format, ...)
{
    FILE *log = fopen(getenv("FAKE_LOG"), "a");
    va_list args;

    va_start(args, format);
    vfprintf(log, format, args);
    va_end(args);
    fclose(log);
}

static bool fails(const char *what)
{
    const char *failing = getenv("FAKE_FAILS");

    return failing && !strcmp(failing, what);
}

/* ---- the host ----------------------------------------------------------- */

int host_identify(struct host *host, struct xcx_err *err)
{
    const char *boot = getenv("FAKE_BOOT");

    (void)err;
    snprintf(host->name, sizeof(host->name), "target");
    snprintf(host->boot, sizeof(host->boot), "%s", boot ? boot : "this-boot");
    return 0;
}

int host_open(struct host *host, const struct xcx_log *log, struct xcx_err *err)
{
    (void)log;
    return host_identify(host, err);
}

void host_close(struct host *host)
{
    (void)host;
}

/* ---- the domain --------------------------------------------------------- */

int domain_look_target(struct host *host, const char *uuid, const char *name,
                       enum handover_copy *ret_copy, uint32_t *ret_domid,
                       struct xcx_err *err)
{
    char state[16];
    unsigned domid;
    FILE *file = fopen(getenv("FAKE_DOMAIN"), "r");

    (void)host, (void)uuid, (void)name, (void)err;
    *ret_copy = HANDOVER_ABSENT;
    *ret_domid = 0;
    if (!file)
        return 0;
    if (fscanf(file, "%15s %u", state, &domid) == 2) {
        for (int i = 0; i < HANDOVER_NR_COPIES; i++)
            if (copy_names[i] && !strcmp(state, copy_names[i]))
                *ret_copy = i;
        *ret_domid = *ret_copy ? domid : 0;
    }
    fclose(file);
    return 0;
}

int domain_look_copy(struct host *host, uint32_t domid, const char *uuid,
                     const char *name, enum handover_copy *ret_copy,
                     struct xcx_err *err)
{
    const char *its_uuid = getenv("FAKE_UUID");
    uint32_t there;

    if (domain_look_target(host, uuid, name, ret_copy, &there, err))
        return -1;
    if (there != domid || strcmp(uuid, its_uuid ? its_uuid : UUID) != 0)
        *ret_copy = HANDOVER_ABSENT;
    return 0;
}

int domain_find_other(struct host *host, const char *uuid, uint32_t but,
                      uint32_t *ret_domid, struct xcx_err *err)
{
    char path[128];
    unsigned domid = 0;
    FILE *file;

    (void)host, (void)uuid, (void)but, (void)err;
    snprintf(path, sizeof(path), "%s/other", getenv("FAKE_DIR"));
    file = fopen(path, "r");
    if (file && fscanf(file, "%u", &domid) != 1)
        domid = 0;
    if (file)
        fclose(file);
    *ret_domid = domid;
    return 0;
}

static int become(const char *state, uint32_t domid)
{
    FILE *file = fopen(getenv("FAKE_DOMAIN"), "w");

    fprintf(file, "%s %u\n", state, domid);
    fclose(file);
    return 0;
}

int domain_unpause(struct host *host, uint32_t domid, struct xcx_err *err)
{
    (void)host;
    note("unpause %u\n", domid);
    if (fails("unpause"))
        return xcx_err_set(err, XCX_ERR_RESOURCE, 0, "cannot be unpaused");
    return become("running", domid);
}

int domain_destroy(struct host *host, uint32_t domid, struct xcx_err *err)
{
    (void)host, (void)err;
    note("destroy %u\n", domid);
    return become("absent", domid);
}

int domain_get(struct host *host, uint32_t domid, struct domain *ret,
               struct xcx_err *err)
{
    const char *uuid = getenv("FAKE_UUID");

    (void)host, (void)err;
    *ret = (struct domain){.domid = domid, .kind = DOMAIN_HVM};
    snprintf(ret->uuid, sizeof(ret->uuid), "%s", uuid ? uuid : UUID);
    return 0;
}

/* ---- its surroundings --------------------------------------------------- */

int __wrap_xenstore_write(struct xs_handle *xs, uint32_t domid,
                          const struct xenstore_tree *tree,
                          struct xcx_err *err);
int __wrap_xenstore_write(struct xs_handle *xs, uint32_t domid,
                          const struct xenstore_tree *tree, struct xcx_err *err)
{
    (void)xs;
    if (fails("keys"))
        return xcx_err_set(err, XCX_ERR_IO, 0, "xenstored says no");
    for (unsigned i = 0; i < tree->nr_entries; i++)
        note("key %u %s %u \"%s\" %u\n", domid, tree->entries[i].path,
             tree->entries[i].value_bytes, tree->entries[i].value,
             tree->entries[i].nr_perms);
    return 0;
}

int announce_find_nics(struct host *host, uint32_t domid,
                       struct announce_nic ret[ANNOUNCE_MAX_NICS],
                       unsigned *ret_nr, struct xcx_err *err)
{
    (void)host, (void)domid, (void)err;
    ret[0] = (struct announce_nic){.bridge = "br0"};
    *ret_nr = 1;
    return 0;
}

int announce_start(const struct announce *announce,
                   const struct announce_nic *nics, unsigned nr_nics,
                   struct xcx_err *err)
{
    (void)err;
    note("announce %s %u rounds %d\n", nics[0].bridge, nr_nics,
         (int)announce->rounds);
    return 0;
}

struct device_model device_model_of(const struct domain *domain)
{
    return (struct device_model){.domid = domain->domid};
}

int device_model_announce_self(const struct device_model *model,
                               const struct device_model_announce *announce,
                               struct xcx_err *err)
{
    (void)err;
    note("announce-self %u step %u\n", model->domid, announce->step_ms);
    return 0;
}

int hooks_run(const struct hooks *hooks, enum hooks_phase phase,
              const struct hooks_case *about, struct xcx_err *err)
{
    static const char *const names[] = {
        [HOOKS_PRE_START] = "pre-start",
        [HOOKS_POST_START] = "post-start",
        [HOOKS_FAILED] = "failed",
    };

    (void)hooks;
    note("hook %s %s %s%s\n", names[phase], about->side, about->name,
         about->error ? " why" : "");
    if (fails(names[phase]))
        return xcx_err_set(err, XCX_ERR_GUEST, 0, "hook says no");
    return 0;
}

/* ---- facts: only that they are asked and told ---------------------------- */

int facts_query_get(yajl_val object, struct facts_query *ret_query,
                    struct xcx_err *err)
{
    const char *path[] = {"name", NULL};
    const char *name =
        YAJL_GET_STRING(yajl_tree_get(object, path, yajl_t_string));

    if (!name)
        return xcx_err_set(err, XCX_ERR_PEER, 0, "a guest without a name");
    snprintf(ret_query->name, sizeof(ret_query->name), "%s", name);
    return 0;
}

int facts_host_gather(struct host *host, const struct facts_query *query,
                      const char *version, struct facts_host *ret_host,
                      struct xcx_err *err)
{
    (void)host, (void)version, (void)err;
    memcpy(ret_host->host, query->name, sizeof(ret_host->host));
    return 0;
}

void facts_host_put(struct json *json, const char *key,
                    const struct facts_host *host)
{
    json_open_map(json, key);
    json_text(json, "of", host->host);
    json_close_map(json);
}

int main(int argc, char **argv)
{
    if (restore_helper_is_meant(argc, argv))
        return restore_helper_run(argv);
    return cmd_receive(argc, argv);
}
