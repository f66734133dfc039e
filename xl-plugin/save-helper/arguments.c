/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arguments.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define STREAM_TYPE_PLAIN 0

#define NR(array)         (sizeof(array) / sizeof((array)[0]))

struct argument {
    const char *name;
    long min, max;
};

static const struct argument save_arguments[] = {
    {"IO_FD", 0, INT_MAX},      {"BACK_FD", -1, INT_MAX},
    {"DOMID", 0, UINT32_MAX},   {"FLAGS", 0, UINT32_MAX},
    {"CBFLAGS", 0, UINT32_MAX}, {"STREAM_TYPE", 0, UINT32_MAX},
};

static const struct argument restore_arguments[] = {
    {"IO_FD", 0, INT_MAX},
    {"BACK_FD", -1, INT_MAX},
    {"DOMID", 0, UINT32_MAX},
    {"STORE_EVTCHN", 0, UINT32_MAX},
    {"STORE_DOMID", 0, UINT32_MAX},
    {"CONSOLE_EVTCHN", 0, UINT32_MAX},
    {"CONSOLE_DOMID", 0, UINT32_MAX},
    {"CBFLAGS", 0, UINT32_MAX},
    {"STREAM_TYPE", 0, UINT32_MAX},
};

static int parse_numbers(const struct argument *arguments, int nr_arguments,
                         int argc, char *const *argv, long *ret_numbers,
                         struct xcx_err *err)
{
    if (argc != nr_arguments + 2)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "%s takes %d arguments, not %d", argv[1],
                           nr_arguments, argc - 2);
    for (int i = 0; i < nr_arguments; i++) {
        const char *text = argv[i + 2];
        char *rest;

        errno = 0;
        ret_numbers[i] = strtol(text, &rest, 10);
        if ((!isdigit((unsigned char)*text) && *text != '-') || *rest ||
            errno || ret_numbers[i] < arguments[i].min ||
            ret_numbers[i] > arguments[i].max)
            return xcx_err_set(err, XCX_ERR_USAGE, 0,
                               "%s \"%.40s\": expected a number from %ld to "
                               "%ld",
                               arguments[i].name, text, arguments[i].min,
                               arguments[i].max);
    }
    return 0;
}

static int parse_save(int argc, char *const *argv, struct arguments *ret,
                      struct xcx_err *err)
{
    long numbers[NR(save_arguments)] = {0};

    if (parse_numbers(save_arguments, NR(save_arguments), argc, argv, numbers,
                      err) < 0)
        return -1;
    *ret = (struct arguments){
        .io_fd = (int)numbers[0],
        .back_fd = (int)numbers[1],
        .domid = (uint32_t)numbers[2],
        .flags = (unsigned)numbers[3],
        .callbacks = (unsigned)numbers[4],
        .stream_type = (unsigned)numbers[5],
    };
    return 0;
}

static int parse_restore(int argc, char *const *argv, struct arguments *ret,
                         struct xcx_err *err)
{
    long numbers[NR(restore_arguments)] = {0};

    if (parse_numbers(restore_arguments, NR(restore_arguments), argc, argv,
                      numbers, err) < 0)
        return -1;
    *ret = (struct arguments){
        .restore = true,
        .io_fd = (int)numbers[0],
        .back_fd = (int)numbers[1],
        .domid = (uint32_t)numbers[2],
        .store_port = (uint32_t)numbers[3],
        .store_domid = (uint32_t)numbers[4],
        .console_port = (uint32_t)numbers[5],
        .console_domid = (uint32_t)numbers[6],
        .callbacks = (unsigned)numbers[7],
        .stream_type = (unsigned)numbers[8],
    };
    return 0;
}

int arguments_parse(int argc, char *const *argv, struct arguments *ret,
                    struct xcx_err *err)
{
    if (argc < 2)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "expected --save-domain or --restore-domain; libxl "
                           "starts this program, see xl-save-helper(8)");
    if (strcmp(argv[1], "--save-domain") == 0)
        return parse_save(argc, argv, ret, err);
    if (strcmp(argv[1], "--restore-domain") != 0)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "\"%.40s\": expected --save-domain or "
                           "--restore-domain; libxl starts this program, see "
                           "xl-save-helper(8)",
                           argv[1]);
    return parse_restore(argc, argv, ret, err);
}

static bool restore_is_ours(const struct arguments *arguments)
{
    return (arguments->callbacks &
            ~(CALLBACK_STATIC_DATA_DONE | CALLBACK_RESTORE_RESULTS)) == 0;
}

bool arguments_are_ours(const struct arguments *arguments)
{
    if (arguments->stream_type != STREAM_TYPE_PLAIN)
        return false;
    if (arguments->restore)
        return restore_is_ours(arguments);
    return (arguments->flags & ~(SAVE_FLAG_LIVE | SAVE_FLAG_DEBUG)) == 0 &&
           (arguments->callbacks &
            ~(CALLBACK_SUSPEND | CALLBACK_SWITCH_QEMU_LOGDIRTY)) == 0 &&
           (arguments->callbacks & CALLBACK_SUSPEND) != 0;
}
