/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "precheck.h"

#include <stdio.h>
#include <string.h>

#include "common/saver.h"
#include "xl-migrate/facts/facts_gather.h"

#define COMMAND_BYTES 256

/* A failure that only means that something is not known. */
static int shrug(struct check *check, const char *id, const char *what,
                 const struct xcx_err *why, struct xcx_err *err)
{
    if (why->kind == XCX_ERR_CANCELLED) {
        *err = *why;
        return -1;
    }
    check_add(check, id, CHECK_UNKNOWN, "", "%s: %s", what, why->msg);
    return 0;
}

/* As a shell is given it; a long one loses its end. what: run there. */
static void print_command(const struct facts_ask_params *ask, const char *what,
                          char *ret, size_t bytes)
{
    int nr_bytes =
        ask->ssh[0] ? snprintf(ret, bytes, "%s %s%s", ask->ssh, ask->host, what)
                    : snprintf(ret, bytes, "%s", ask->host);

    if (nr_bytes >= (int)bytes)
        strcpy(ret + bytes - sizeof("..."), "...");
}

static void add_connection(const struct precheck_params *params,
                           struct precheck *precheck, const struct xcx_err *why)
{
    const struct facts_ask_params *ask = &params->ask;
    char command[COMMAND_BYTES], fix[CHECK_TEXT_BYTES];

    if (precheck->has_there) {
        print_command(ask, "", command, sizeof(command));
        check_add(&precheck->check, "connection", CHECK_OK, "",
                  "the target answers over \"%s\"", command);
        return;
    }
    print_command(ask, " xl info", command, sizeof(command));
    snprintf(fix, sizeof(fix), "\"%s\" must %s", command,
             ask->ssh[0] ? "work without a password"
                         : "reach the target: see -s in xl-migrate(8)");
    check_add(&precheck->check, "connection", CHECK_BLOCKER, fix,
              "the target cannot be asked: %s", why->msg);
}

static int ask_target(const struct precheck_params *params,
                      struct precheck *precheck, struct xcx_err *err)
{
    struct facts_ask_params ask = params->ask;
    struct xcx_err why = XCX_ERR_INIT;

    ask.cancel_fd = params->cancel_fd >= 0 ? &params->cancel_fd : NULL;
    precheck->has_there =
        facts_ask(&ask, &precheck->query, &precheck->there, &why) == 0;
    if (why.kind == XCX_ERR_CANCELLED) {
        *err = why;
        return -1;
    }
    add_connection(params, precheck, &why);
    return 0;
}

static int probe_the_link(const struct precheck_params *params,
                          struct precheck *precheck, struct xcx_err *err)
{
    const struct probe_link_params link = {
        .ssh = params->ask.ssh,
        .host = params->ask.host,
        .duration_ns = params->probe_ns,
        .limit_bytes_per_s = params->limits.bandwidth_bytes_per_s,
        .answer_ns = params->ask.timeout_ns,
        .cancel_fd = params->cancel_fd,
        .log = params->ask.log,
    };
    struct xcx_err why = XCX_ERR_INIT;

    precheck->has_link = probe_link(&link, &precheck->link, &why) == 0;
    if (!precheck->has_link)
        return shrug(&precheck->check, "link", "its rate is not known", &why,
                     err);
    check_add(&precheck->check, "link", CHECK_OK, "",
              "%llu MiB/s get through to %s",
              (unsigned long long)(precheck->link.bytes_per_s >> 20),
              params->wishes.target);
    return 0;
}

/*
 * The program that copies the guest's memory owns its log-dirty bits: switching
 * them on or off beside it loses pages of its copy without a word. true: no
 * such program was seen.
 */
static bool is_free(const struct precheck_params *params,
                    struct precheck *precheck)
{
    struct xcx_err why = XCX_ERR_INIT;
    struct saver saver;

    if (saver_find(SAVER_PROC, params->domain->domid, &saver, &why)) {
        check_add(&precheck->check, "in-use", CHECK_UNKNOWN, "",
                  "whether another program saves it was not found out: %s",
                  why.msg);
        return false;
    }
    if (!saver.pid)
        return true;
    check_add(&precheck->check, "in-use", CHECK_BLOCKER,
              "wait until that has ended; see xl-migrate status",
              "%s is being saved or migrated by %s, process %d",
              precheck->guest.name, saver.name, (int)saver.pid);
    return false;
}

static int probe_the_guest(const struct precheck_params *params,
                           struct precheck *precheck, struct xcx_err *err)
{
    const struct xcx_probe_params probe = {
        .domid = params->domain->domid,
        .duration_ns = params->probe_ns,
        .cancel_fd = params->cancel_fd >= 0 ? &params->cancel_fd : NULL,
        .lock_dir = params->lock_dir,
    };
    struct xcx_err why = XCX_ERR_INIT;
    int rc;

    if (!is_free(params, precheck))
        return 0;
    rc = xcx_probe(&probe, &precheck->probe, &why);
    if (rc && why.kind == XCX_ERR_GUEST) {
        check_add(&precheck->check, "in-use", CHECK_BLOCKER,
                  "wait until that has ended; see xl-migrate status", "%s",
                  why.msg);
        return 0;
    }
    if (rc)
        return shrug(&precheck->check, "dirty-rate", "not known", &why, err);
    precheck->has_probe = !precheck->probe.unsupported;
    return 0;
}

static void find_costs(const struct precheck_params *params,
                       struct precheck *precheck)
{
    precheck->move = (struct forecast_move){
        .kind = params->domain->kind,
        .has_disks = precheck->guest.nr_disks > 0,
        .has_qemu_disks = precheck->guest.nr_qemu_disks > 0,
        .has_nics = precheck->guest.nr_nics > 0,
        .is_stock = !precheck->there.version[0],
    };
    if (params->costs_dir)
        forecast_costs_load(params->costs_dir, params->ask.host,
                            &precheck->move, &precheck->costs);
    else
        forecast_costs_default(&precheck->move, &precheck->costs);
}

static void make_forecast(const struct precheck_params *params,
                          struct precheck *precheck)
{
    const struct forecast_params about = {
        .kind = params->domain->kind,
        .probe = precheck->probe,
        .link = precheck->link,
        .limits = params->limits,
        .costs = precheck->costs,
    };
    struct xcx_err why = XCX_ERR_INIT;

    precheck->has_forecast = forecast(&about, &precheck->forecast, &why) == 0;
    if (precheck->has_forecast && precheck->forecast.aborts)
        check_add(&precheck->check, "forecast", CHECK_WARNING,
                  "--downtime with more, --on-slow stop, or a time when the "
                  "guest writes less",
                  "%s is likely to stay here: %s", precheck->guest.name,
                  precheck->forecast.reason);
}

static int run_probes(const struct precheck_params *params,
                      struct precheck *precheck, bool may_probe_guest,
                      struct xcx_err *err)
{
    if (probe_the_link(params, precheck, err) ||
        (may_probe_guest && probe_the_guest(params, precheck, err)))
        return -1;
    find_costs(params, precheck);
    if (precheck->has_link && precheck->has_probe)
        make_forecast(params, precheck);
    return 0;
}

int precheck_run(const struct precheck_params *params, struct precheck *ret,
                 struct xcx_err *err)
{
    struct check_wishes wishes = params->wishes;
    bool is_seen_free;

    wishes.may_throttle =
        params->limits.on_slow == XCX_ON_SLOW_THROTTLE ||
        params->limits.on_slow == XCX_ON_SLOW_THROTTLE_THEN_STOP;
    memset(ret, 0, sizeof(*ret));
    if (facts_guest_gather(params->host, params->domain, params->config_json,
                           params->more_keys, &ret->guest, err))
        return -1;
    facts_query_of(&ret->guest, &ret->query);
    if (facts_host_gather(params->host, &ret->query, params->version,
                          &ret->here, err))
        return -1;
    if (ask_target(params, ret, err))
        return -1;
    check_facts(&ret->guest, &ret->query, &ret->here,
                ret->has_there ? &ret->there : NULL, &wishes, &ret->check);
    check_ignore(&ret->check, &params->ignore);
    is_seen_free = is_free(params, ret);
    if (!params->probe || check_worst(&ret->check) == CHECK_BLOCKER)
        return 0;
    return run_probes(params, ret, is_seen_free, err);
}
