/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl-migrate inspect [--json] FILE: reads once, in order, so pipes will do. */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "xl-migrate/inspect/inspect_print.h"

#define BUFFER_BYTES (256U << 10)

struct options {
    const char *file;
    bool json;
};

static void help(void)
{
    printf("usage: xl-migrate inspect [--json] FILE\n\n"
           "Prints what is in FILE (- for standard input): a domain saved by "
           "xl, or a\nlibxl or libxc stream. Exit status: 0 if it is legal "
           "and complete, 1 if it is\nbroken, 2 if it could not be read.\n\n"
           "  --json   one JSON object; see xl-migrate(8)\n");
}

/* 1: go on; else the program ends with *ret_status. */
static int parse_options(int argc, char **argv, struct options *options,
                         int *ret_status)
{
    bool options_over = false;
    int nr_files = 0;

    *ret_status = EXIT_STATUS_USAGE;
    for (int i = 1; i < argc; i++) {
        const char *text = argv[i];

        if (options_over || text[0] != '-' || strcmp(text, "-") == 0) {
            options->file = text;
            nr_files++;
        } else if (strcmp(text, "--") == 0) {
            options_over = true;
        } else if (strcmp(text, "--json") == 0) {
            options->json = true;
        } else if (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0) {
            help();
            *ret_status = EXIT_STATUS_DONE;
            return 0;
        } else {
            fprintf(stderr, "xl-migrate inspect: unknown option \"%.40s\"\n",
                    text);
            return 0;
        }
    }
    if (nr_files != 1)
        fprintf(stderr, "xl-migrate inspect: expected one FILE, not %d\n",
                nr_files);
    return nr_files == 1;
}

/* Reads to the end, or to where the stream is broken. */
static int read_all(int fd, struct inspect *inspect, struct xcx_err *err)
{
    void *buffer = malloc(BUFFER_BYTES);
    ssize_t n = -1;

    if (!buffer)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "buffer");
    do {
        n = read(fd, buffer, BUFFER_BYTES);
        if (n < 0 && errno != EINTR)
            xcx_err_set(err, XCX_ERR_IO, errno, "read");
        if (n > 0 && inspect_feed(inspect, buffer, (size_t)n) < 0)
            break;
    } while (n != 0 && !xcx_err_is_set(err));
    free(buffer);
    if (xcx_err_is_set(err))
        return -1;
    inspect_finish(inspect);
    return 0;
}

static int open_and_read(const char *file, struct inspect *inspect,
                         struct xcx_err *err)
{
    int fd, rc;

    if (strcmp(file, "-") == 0)
        return read_all(STDIN_FILENO, inspect, err);
    fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return xcx_err_set(err, XCX_ERR_IO, errno, "open");
    rc = read_all(fd, inspect, err);
    close(fd);
    return rc;
}

/* A stream that broke is a result; that this host failed is not. */
static int report(const struct options *options, struct inspect *inspect,
                  struct xcx_err *err)
{
    int rc = 0;

    if (xcx_err_is_set(&inspect->err) && inspect->err.kind != XCX_ERR_STREAM) {
        *err = inspect->err;
        return -1;
    }
    if (options->json)
        rc = inspect_print_json(inspect, options->file, stdout, err);
    else
        inspect_print_text(inspect, options->file, stdout);
    if (rc == 0 && (fflush(stdout) != 0 || ferror(stdout)))
        rc = xcx_err_set(err, XCX_ERR_IO, errno, "standard output");
    return rc;
}

int cmd_inspect(int argc, char **argv)
{
    struct options options = {.json = false};
    struct xcx_err err = XCX_ERR_INIT;
    struct inspect inspect;
    int status;

    if (!parse_options(argc, argv, &options, &status))
        return status;
    inspect_init(&inspect);
    if (open_and_read(options.file, &inspect, &err) < 0 ||
        report(&options, &inspect, &err) < 0)
        status = EXIT_STATUS_USAGE;
    else
        status =
            inspect.err.kind == XCX_OK ? EXIT_STATUS_DONE : EXIT_STATUS_BROKEN;
    if (status == EXIT_STATUS_USAGE)
        fprintf(stderr, "xl-migrate inspect: %s: %s\n", options.file, err.msg);
    inspect_done(&inspect);
    return status;
}
