/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "control.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "console.h"
#include "line.h"

struct command {
    const char *name;
    bool has_argument;
    int (*obey)(struct control *control, const char *argument,
                struct json *json, struct xcx_err *err);
};

static struct stall_times now_times(void)
{
    return (struct stall_times){
        .mono_ns = clock_mono_ns(),
        .real_ns = clock_ns(CLOCK_REALTIME),
    };
}

static struct report_phase *present_phase(struct control *control)
{
    return &control->phases[control->nr_phases - 1];
}

/* Brings the present phase up to date with what was counted. */
static void update_present(struct control *control,
                           const struct stall_set *since_mark,
                           struct workset_counts *ret_counts)
{
    struct stall_times now = now_times();

    workset_get_counts(control->set, ret_counts);
    report_phase_update(present_phase(control), &now, ret_counts, since_mark);
}

static void begin_phase(struct control *control, const char *name,
                        const struct workset_counts *counts)
{
    struct report_phase *phase;

    if (control->nr_phases == REPORT_PHASES)
        memmove(control->phases, control->phases + 1,
                sizeof(control->phases[0]) * (REPORT_PHASES - 1));
    else
        control->nr_phases++;
    phase = present_phase(control);
    *phase = (struct report_phase){
        .began = now_times(),
        .at_begin = *counts,
    };
    memcpy(phase->name, name, strlen(name) + 1);
}

static int obey_report(struct control *control, const char *argument,
                       struct json *json, struct xcx_err *err)
{
    struct report_view view = {
        .spec = &control->workload->spec,
        .began = control->began,
        .now = now_times(),
        .locked = control->set->locked,
        .realtime = control->tick->realtime,
        .has_disk = control->disk->started,
        .disk_direct = control->disk->direct,
        .has_net = control->net->started,
        .has_stream = control->stream->started,
    };

    (void)argument;
    (void)err;
    workload_get_status(control->workload, &view.workload);
    view.nr_findings = workset_get_findings(control->set, view.findings);
    tick_snapshot(control->tick, &view.since_start, &view.since_mark);
    update_present(control, &view.since_mark, &view.counts);
    view.nr_phases = control->nr_phases;
    memcpy(view.phases, control->phases, sizeof(view.phases));
    if (view.has_disk)
        disk_get_counts(control->disk, &view.disk);
    if (view.has_net)
        net_get_counts(control->net, &view.net);
    if (view.has_stream)
        stream_get_counts(control->stream, &view.stream);
    report_write(json, &view);
    return 0;
}

static bool is_name(const char *text)
{
    size_t name_bytes = strlen(text);

    return name_bytes > 0 && name_bytes < REPORT_NAME_BYTES &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789_.-") == name_bytes;
}

static int obey_mark(struct control *control, const char *argument,
                     struct json *json, struct xcx_err *err)
{
    struct stall_set since_mark;
    struct workset_counts counts;

    if (!is_name(argument))
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "mark: '%s' is not a name of 1 to %d letters, "
                           "digits, _ . -",
                           argument, REPORT_NAME_BYTES - 1);
    tick_mark(control->tick, &since_mark);
    update_present(control, &since_mark, &counts);
    report_write_phase(json, "ended", present_phase(control),
                       control->began.mono_ns);
    begin_phase(control, argument, &counts);
    return 0;
}

static int obey_check(struct control *control, const char *argument,
                      struct json *json, struct xcx_err *err)
{
    int64_t began_ns = clock_mono_ns();
    struct workset_counts before, after;
    struct workload_status status;

    (void)argument;
    workset_get_counts(control->set, &before);
    if (workload_ask(control->workload, WORKLOAD_ASK_CHECK, 0, err))
        return -1;
    workset_get_counts(control->set, &after);
    workload_get_status(control->workload, &status);
    json_u64(json, "verified_pages", status.resident_pages);
    json_u64(json, "errors", after.errors - before.errors);
    json_ms(json, "took_ms", clock_mono_ns() - began_ns);
    return 0;
}

static int obey_corrupt(struct control *control, const char *argument,
                        struct json *json, struct xcx_err *err)
{
    uint64_t page;

    if (spec_parse_number("corrupt", argument, 0, UINT32_MAX, &page, err) ||
        workload_ask(control->workload, WORKLOAD_ASK_CORRUPT, page, err))
        return -1;
    json_u64(json, "page", page);
    return 0;
}

static int obey_rate(struct control *control, const char *argument,
                     struct json *json, struct xcx_err *err)
{
    uint64_t bytes_per_s;

    if (spec_parse_bytes("rate", argument, &bytes_per_s, err) ||
        workload_ask(control->workload, WORKLOAD_ASK_RATE, bytes_per_s, err))
        return -1;
    json_u64(json, "rate_bytes_per_s", bytes_per_s);
    return 0;
}

static int obey_quit(struct control *control, const char *argument,
                     struct json *json, struct xcx_err *err)
{
    (void)argument;
    (void)json;
    (void)err;
    control->quit = true;
    return 0;
}

static const struct command commands[] = {
    {"report", false, obey_report}, {"mark", true, obey_mark},
    {"check", false, obey_check},   {"corrupt", true, obey_corrupt},
    {"rate", true, obey_rate},      {"quit", false, obey_quit},
};

static void trim_end(char *text)
{
    size_t used = strlen(text);

    while (used > 0 && text[used - 1] == ' ')
        text[--used] = 0;
}

/* Splits off the first word; returns what follows it, "" at the end. */
static char *split(char *text)
{
    char *rest = text + strcspn(text, " ");

    if (*rest)
        *rest++ = 0;
    return rest + strspn(rest, " ");
}

static int dispatch(struct control *control, char *line, struct json *json,
                    struct xcx_err *err)
{
    char *argument = split(line);

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        const struct command *command = &commands[i];

        if (strcmp(line, command->name) != 0)
            continue;
        json_string(json, "for", command->name);
        if (command->has_argument != (*argument != 0))
            return xcx_err_set(err, XCX_ERR_USAGE, 0, "%s: takes %s", line,
                               command->has_argument ? "an argument"
                                                     : "no argument");
        return command->obey(control, argument, json, err);
    }
    return xcx_err_set(err, XCX_ERR_USAGE, 0, "unknown command '%s'", line);
}

const char *control_obey(struct control *control, char *line, struct json *json)
{
    struct xcx_err err = XCX_ERR_INIT;
    size_t digits;

    line += strspn(line, " ");
    trim_end(line);
    if (!*line)
        return NULL;
    json_begin(json);
    digits = strspn(line, "0123456789");
    if (digits > 0 && digits < 10 && line[digits] == ' ') {
        json_u64(json, "tag", strtoul(line, NULL, 10));
        line = split(line);
    }
    if (dispatch(control, line, json, &err))
        json_string(json, "error", err.msg);
    return json_end(json);
}

static int say_ready(struct control *control, struct xcx_err *err)
{
    const struct spec *spec = &control->workload->spec;
    struct json json;

    json_begin(&json);
    json_bool(&json, "ready", true);
    json_string(&json, "workload", spec_pattern_name(spec->pattern));
    json_u64(&json, "size_bytes", spec->size_bytes);
    json_u64(&json, "rate_bytes_per_s", spec->rate_bytes_per_s);
    json_bool(&json, "disk", control->disk->started);
    json_bool(&json, "net", control->net->started);
    return line_send(STDOUT_FILENO, json_end(&json), err);
}

int control_run(struct control *control, struct xcx_err *err)
{
    struct workset_counts counts;
    struct console console;
    struct json json;
    int r;

    control->began = now_times();
    workset_get_counts(control->set, &counts);
    begin_phase(control, "start", &counts);
    console_open(&console, STDIN_FILENO);
    r = say_ready(control, err);
    while (r == 0 && !control->quit) {
        char *line;
        const char *reply;

        if (console_read_line(&console, &line, err)) {
            r = -1;
            break;
        }
        if (!line)
            break;
        reply = control_obey(control, line, &json);
        if (reply)
            r = line_send(STDOUT_FILENO, reply, err);
    }
    console_close(&console);
    return r;
}
