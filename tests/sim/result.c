/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <yajl/yajl_gen.h>

#include "calls.h"

__attribute__((format(printf, 2, 3))) static bool no(char why[SIM_LINE_BYTES],
                                                     const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(why, SIM_LINE_BYTES, fmt, args);
    va_end(args);
    return false;
}

/* What must hold of a helper, whether it succeeded or failed. */
static bool is_orderly(const struct sim_side_result *side, const char *name,
                       char why[SIM_LINE_BYTES])
{
    if (side->timed_out)
        return no(why, "%s: no end in time", name);
    if (side->broken[0])
        return no(why, "%s: protocol: %s", name, side->broken);
    if (side->nr_complete != 1)
        return no(why, "%s: %u complete messages; last error: %s", name,
                  side->nr_complete, side->last_error);
    if (!WIFEXITED(side->wait_status) || WEXITSTATUS(side->wait_status))
        return no(why, "%s: wait status %#x", name, side->wait_status);
    if (side->nr_findings)
        return no(why, "%s: %.200s", name, side->findings);
    return true;
}

static bool nothing_left(const struct sim_result *result,
                         char why[SIM_LINE_BYTES])
{
    if (result->logdirty_left)
        return no(why, "log-dirty was left on");
    if (result->rival_hurt)
        return no(why, "another program's log-dirty was switched off");
    if (result->qemu_logdirty_left)
        return no(why, "the device model's log-dirty was left on");
    if (result->cap_left)
        return no(why, "the scheduler cap was not put back");
    if (result->nr_orphans)
        return no(why, "a worker outlived its helper");
    if (result->flags_changed)
        return no(why, "O_NONBLOCK was set on the stream's descriptor");
    return true;
}

bool sim_result_is_good(const struct sim_run_options *options,
                        const struct sim_result *result,
                        char ret_why[SIM_LINE_BYTES])
{
    if (!is_orderly(&result->save, "save", ret_why))
        return false;
    if (result->save.retval)
        return no(ret_why, "save: failed: %s", result->save.first_error);
    if (!nothing_left(result, ret_why))
        return false;
    if (!options->restore_helper)
        return true;
    if (!is_orderly(&result->restore, "restore", ret_why))
        return false;
    if (result->restore.retval)
        return no(ret_why, "restore: failed: %s", result->restore.first_error);
    if (!sim_diff_is_same(&result->diff))
        return no(ret_why, "the guest is not the same: %s",
                  result->diff.text[0]);
    return true;
}

bool sim_result_is_clean_failure(const struct sim_result *result,
                                 char ret_why[SIM_LINE_BYTES])
{
    if (!is_orderly(&result->save, "save", ret_why))
        return false;
    if (!result->save.retval)
        return no(ret_why, "save: succeeded");
    if (!result->save.errnoval)
        return no(ret_why, "save: failed without an errno");
    if (!result->save.nr_errors)
        return no(ret_why, "save: failed without an error message");
    return nothing_left(result, ret_why);
}

bool sim_result_is_clean_restore_failure(const struct sim_result *result,
                                         char ret_why[SIM_LINE_BYTES])
{
    if (!is_orderly(&result->restore, "restore", ret_why))
        return false;
    if (!result->restore.retval)
        return no(ret_why, "restore: succeeded");
    if (!result->restore.nr_errors)
        return no(ret_why, "restore: failed without an error message");
    if (result->nr_orphans)
        return no(ret_why, "a worker outlived its helper");
    return true;
}

static void key(yajl_gen gen, const char *name)
{
    yajl_gen_string(gen, (const unsigned char *)name, strlen(name));
}

static void number(yajl_gen gen, const char *name, uint64_t value)
{
    key(gen, name);
    yajl_gen_integer(gen, (long long)value);
}

static void text(yajl_gen gen, const char *name, const char *value)
{
    key(gen, name);
    key(gen, value);
}

static void calls(yajl_gen gen, const uint64_t counts[SIM_MAX_CALLS])
{
    key(gen, "calls");
    yajl_gen_map_open(gen);
    for (unsigned i = 0; i < SIM_NR_CALLS; i++) {
        if (counts[i])
            number(gen, sim_call_name(i), counts[i]);
    }
    yajl_gen_map_close(gen);
}

static void side(yajl_gen gen, const char *name,
                 const struct sim_side_result *result)
{
    key(gen, name);
    yajl_gen_map_open(gen);
    number(gen, "wait_status", (uint64_t)result->wait_status);
    number(gen, "nr_complete", result->nr_complete);
    number(gen, "retval", (uint64_t)(int64_t)result->retval);
    number(gen, "errno", (uint64_t)(int64_t)result->errnoval);
    number(gen, "nr_messages", result->nr_messages);
    number(gen, "nr_errors", result->nr_errors);
    text(gen, "first_error", result->first_error);
    text(gen, "last_error", result->last_error);
    text(gen, "broken", result->broken);
    number(gen, "timed_out", result->timed_out);
    number(gen, "nr_findings", result->nr_findings);
    text(gen, "findings", result->findings);
    number(gen, "nr_calls", result->nr_calls);
    number(gen, "peak_private_bytes", result->peak_private_bytes);
    calls(gen, result->calls);
    yajl_gen_map_close(gen);
}

static void diff(yajl_gen gen, const struct sim_diff *d)
{
    key(gen, "diff");
    yajl_gen_map_open(gen);
    number(gen, "nr_compared", d->nr_compared);
    number(gen, "nr_different", d->nr_different);
    number(gen, "nr_missing", d->nr_missing);
    number(gen, "nr_extra", d->nr_extra);
    number(gen, "nr_alien", d->nr_alien);
    number(gen, "nr_state", d->nr_state);
    key(gen, "texts");
    yajl_gen_array_open(gen);
    for (unsigned i = 0; i < d->nr_texts; i++)
        key(gen, d->text[i]);
    yajl_gen_array_close(gen);
    yajl_gen_map_close(gen);
}

void sim_result_print(const struct sim_run_options *options,
                      const struct sim_result *result)
{
    yajl_gen gen = yajl_gen_alloc(NULL);
    const unsigned char *json;
    char why[SIM_LINE_BYTES] = "";
    size_t bytes;

    yajl_gen_config(gen, yajl_gen_beautify, 1);
    yajl_gen_map_open(gen);
    number(gen, "good", sim_result_is_good(options, result, why));
    text(gen, "why", why);
    number(gen, "setup_ns", result->setup_ns);
    number(gen, "total_ns", result->total_ns);
    number(gen, "suspended_ns", result->suspended_ns);
    number(gen, "stream_bytes", result->stream_bytes);
    number(gen, "nr_writes", result->nr_writes);
    number(gen, "nr_cleans", result->nr_cleans);
    number(gen, "nr_suspends", result->nr_suspends);
    number(gen, "nr_cap_changes", result->nr_cap_changes);
    number(gen, "nr_checkpoints", result->nr_checkpoints);
    number(gen, "nr_orphans", result->nr_orphans);
    number(gen, "logdirty_left", result->logdirty_left);
    number(gen, "rival_hurt", result->rival_hurt);
    number(gen, "qemu_logdirty_left", result->qemu_logdirty_left);
    number(gen, "cap_left", result->cap_left);
    side(gen, "save", &result->save);
    side(gen, "restore", &result->restore);
    diff(gen, &result->diff);
    yajl_gen_map_close(gen);
    yajl_gen_get_buf(gen, &json, &bytes);
    fwrite(json, 1, bytes, stdout);
    yajl_gen_free(gen);
}
