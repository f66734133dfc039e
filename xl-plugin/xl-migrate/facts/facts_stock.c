/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Facts of a target that has only xl and a shell: one command, whose lines
 * begin with what they are about.
 *
 *   xl-migrate-facts             the first one: a login may print before it
 *   host NAME, boot ID
 *   info KEY : VALUE             of xl info
 *   vm UUID DOMID NAME           of xl vm-list
 *   pool NAME CPUS SCHEDULER     of xl cpupool-list
 *   conf LINE                    of xl.conf, about autoballoon
 *   file INDEX TYPE yes|no SIZE|- FS|-
 *   qemu INDEX LINE              what a device model says of its version
 *   bridge INDEX yes|no
 *   port LINE                    of /proc/net/tcp and tcp6, if it listens
 *   clock SECONDS                since 1970; read last
 *   end                          nothing was lost
 *
 * Lines that make no sense say nothing; only the first and the last must be
 * there.
 */
#include "facts.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "facts_path.h"
#include "xl-migrate/domain/xl_conf.h"
#include "facts_ports.h"
#include "facts_qemu.h"

#define LINE_BYTES  1024
#define CONF_BYTES  4096
#define MAX_LINES   8192
#define KIB_A_MIB   1024
#define MAX_MIB     (UINT64_C(1) << 34)
#define MAX_VERSION 1000
#define MAX_SECONDS (UINT64_C(1) << 33)
#define NS_PER_S    UINT64_C(1000000000)
#define FIRST_LINE  "xl-migrate-facts"
#define LAST_LINE   "end"
#define NAMELESS    "(null)" /* as xl prints the name of one that has none */

/* ---- the command -------------------------------------------------------- */

struct text {
    char *at;
    size_t left;
    bool full;
};

static void put(struct text *text, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void put(struct text *text, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(text->at, text->left, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= text->left) {
        text->full = true;
        return;
    }
    text->at += n;
    text->left -= (size_t)n;
}

/* Within single quotes only the quote itself means anything to a shell. */
static void put_quoted(struct text *text, const char *word)
{
    put(text, "'");
    for (; *word; word++) {
        if (*word == '\'')
            put(text, "'\\''");
        else
            put(text, "%c", *word);
    }
    put(text, "'");
}

static const char opening[] =
    "LC_ALL=C; export LC_ALL; PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; "
    "f() { t=absent; x=no; s=; m=; "
    "if [ -f \"$2\" ]; then t=file; s=$(stat -L -c %s \"$2\"); "
    "m=$(stat -f -c %t \"$2\"); "
    "elif [ -b \"$2\" ]; then t=block; s=$(blockdev --getsize64 \"$2\"); "
    "elif [ -e \"$2\" ]; then t=other; fi; "
    "[ -x \"$2\" ] && x=yes; "
    "echo \"file $1 $t $x ${s:--} ${m:--}\"; }; "
    "q() { [ -f \"$2\" ] && [ -x \"$2\" ] && "
    "echo \"qemu $1 $(\"$2\" --version | head -n 1)\"; }; "
    "b() { x=no; [ -e \"/sys/class/net/$2\" ] && x=yes; "
    "echo \"bridge $1 $x\"; }; "
    "{ echo " FIRST_LINE "; echo \"host $(uname -n)\"; "
    "echo \"boot $(cat /proc/sys/kernel/random/boot_id)\"; "
    "xl info | sed 's/^/info /'; xl vm-list | sed 's/^/vm /'; "
    "xl cpupool-list | sed 's/^/pool /'; "
    "sed -n 's/^ *autoballoon/conf autoballoon/p' /etc/xen/xl.conf; ";

int facts_stock_command(const struct facts_query *query, char *text,
                        size_t text_bytes, struct xcx_err *err)
{
    struct text out = {.at = text, .left = text_bytes};

    put(&out, "%s", opening);
    for (unsigned i = 0; i < query->nr_files; i++) {
        put(&out, "f %u ", i);
        put_quoted(&out, query->files[i]);
        put(&out, "; ");
    }
    for (unsigned i = 0; i < query->nr_files; i++) {
        if (query->kinds[i] != FACTS_KIND_DEVICE_MODEL ||
            !facts_path_is_qemu(query->files[i]))
            continue;
        put(&out, "q %u ", i);
        put_quoted(&out, query->files[i]);
        put(&out, "; ");
    }
    if (query->nr_ports)
        put(&out, "cat /proc/net/tcp /proc/net/tcp6 | "
                  "sed -n 's/^\\(.*:.*:.* 0A .*\\)$/port \\1/p'; ");
    for (unsigned i = 0; i < query->nr_bridges; i++) {
        put(&out, "b %u ", i);
        put_quoted(&out, query->bridges[i]);
        put(&out, "; ");
    }
    put(&out, "echo \"clock $(date +%%s)\"; ");
    put(&out, "echo " LAST_LINE "; } 2>/dev/null </dev/null; exit\n");
    if (out.full)
        return xcx_err_set(err, XCX_ERR_USAGE, 0,
                           "the guest's devices are too many, or their paths "
                           "too long, to ask a target without xl-migrate");
    return 0;
}

/* ---- the answer --------------------------------------------------------- */

struct answer {
    const struct facts_query *query;
    struct facts_host host;
    bool begun, ended;
    bool has_major, has_minor, has_total, has_free;
    char conf[CONF_BYTES];
    size_t conf_used;
    char command_line[LINE_BYTES];
    bool has_command_line;
};

/* Takes a number off the front; false: there is none, or it is too large. */
static bool take_number(const char **at, int base, uint64_t max, uint64_t *ret)
{
    char *rest;
    uint64_t value;

    *at += strspn(*at, " ");
    if (!isxdigit((unsigned char)**at))
        return false;
    value = strtoull(*at, &rest, base);
    if (rest == *at || value > max)
        return false;
    *at = rest;
    *ret = value;
    return true;
}

/* Takes a word off the front. */
static bool take_word(const char **at, char *ret, size_t room_bytes)
{
    size_t length;

    *at += strspn(*at, " ");
    length = strcspn(*at, " ");
    if (length == 0 || length >= room_bytes)
        return false;
    memcpy(ret, *at, length);
    ret[length] = 0;
    *at += length;
    return true;
}

/* Copies the rest of the line, without the blanks around it. */
static bool take_rest(const char *at, char *ret, size_t room_bytes)
{
    size_t length;

    at += strspn(at, " ");
    length = strlen(at);
    while (length && at[length - 1] == ' ')
        length--;
    if (length == 0 || length >= room_bytes)
        return false;
    memcpy(ret, at, length);
    ret[length] = 0;
    return true;
}

static bool is_uuid(const char *text)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

    if (strlen(text) != strlen(form))
        return false;
    for (size_t i = 0; form[i]; i++) {
        if (form[i] == 'x' ? !isxdigit((unsigned char)text[i]) : text[i] != '-')
            return false;
    }
    return true;
}

static void on_host(struct answer *answer, const char *at)
{
    take_rest(at, answer->host.host, sizeof(answer->host.host));
}

static void on_boot(struct answer *answer, const char *at)
{
    char word[64];

    if (take_word(&at, word, sizeof(word)) && is_uuid(word))
        memcpy(answer->host.boot, word, strlen(word) + 1);
}

static bool has_word(const char *at, const char *wanted)
{
    char word[64];

    for (at += strspn(at, " "); *at; at += strspn(at, " ")) {
        if (take_word(&at, word, sizeof(word))) {
            if (strcmp(word, wanted) == 0)
                return true;
        } else {
            at += strcspn(at, " ");
        }
    }
    return false;
}

static enum facts_answer yes_or_no(bool yes)
{
    return yes ? FACTS_YES : FACTS_NO;
}

static void on_caps(struct facts_host *host, const char *key, const char *at)
{
    if (strcmp(key, "xen_caps") == 0) {
        host->pv = yes_or_no(has_word(at, "xen-3.0-x86_64"));
        host->hvm = yes_or_no(has_word(at, "hvm-3.0-x86_64"));
    } else if (has_word(at, "hap") || has_word(at, "shadow")) {
        /* An xl that is older prints neither. */
        host->hap = yes_or_no(has_word(at, "hap"));
        host->shadow = yes_or_no(has_word(at, "shadow"));
    }
}

static void on_info(struct answer *answer, const char *at)
{
    struct facts_host *host = &answer->host;
    const char *value = strchr(at, ':');
    char key[64];
    uint64_t number;

    if (!value || !take_word(&at, key, sizeof(key)))
        return;
    value++;
    if (strcmp(key, "xen_caps") == 0 || strcmp(key, "virt_caps") == 0) {
        on_caps(host, key, value);
    } else if (strcmp(key, "xen_commandline") == 0) {
        answer->has_command_line = true;
        take_rest(value, answer->command_line, sizeof(answer->command_line));
    } else if (!take_number(&value, 10, MAX_MIB, &number)) {
        return;
    } else if (strcmp(key, "xen_major") == 0 && number <= MAX_VERSION) {
        host->xen_major = (unsigned)number;
        answer->has_major = true;
    } else if (strcmp(key, "xen_minor") == 0 && number <= MAX_VERSION) {
        host->xen_minor = (unsigned)number;
        answer->has_minor = true;
    } else if (strcmp(key, "total_memory") == 0) {
        host->total_kib = number * KIB_A_MIB;
        answer->has_total = true;
    } else if (strcmp(key, "free_memory") == 0) {
        host->free_kib = number * KIB_A_MIB;
        answer->has_free = true;
    } else if (strcmp(key, "nr_cpus") == 0 && number <= UINT32_MAX) {
        host->nr_cpus = (unsigned)number;
    }
}

static void lower(char *text)
{
    for (; *text; text++)
        *text = (char)tolower((unsigned char)*text);
}

static void on_vm(struct answer *answer, const char *at)
{
    struct facts_host *host = &answer->host;
    struct facts_clash clash = {0};
    uint64_t domid;

    if (strncmp(at, "UUID ", 5) == 0) {
        host->has_clashes = true; /* the heading: xl could list them */
        if (answer->query->domid && host->domid_taken == FACTS_UNKNOWN)
            host->domid_taken = FACTS_NO;
        return;
    }
    if (!take_word(&at, clash.uuid, sizeof(clash.uuid)) ||
        !is_uuid(clash.uuid) || !take_number(&at, 10, UINT16_MAX, &domid) ||
        !take_rest(at, clash.name, sizeof(clash.name)))
        return;
    /* A domain without a name is being destroyed, and in nobody's way. */
    if (strcmp(clash.name, NAMELESS) == 0)
        return;
    if (answer->query->domid && domid == answer->query->domid)
        host->domid_taken = FACTS_YES;
    lower(clash.uuid);
    clash.domid = (uint32_t)domid;
    if (facts_is_clash(answer->query, &clash) &&
        host->nr_clashes < FACTS_MAX_CLASHES)
        host->clashes[host->nr_clashes++] = clash;
}

static void on_pool(struct answer *answer, const char *at)
{
    const char *wanted = answer->query->pool;
    char name[FACTS_NAME_BYTES];
    uint64_t nr_cpus;

    /* The heading says that xl could list them. */
    if (answer->host.pool == FACTS_UNKNOWN && wanted[0])
        answer->host.pool = FACTS_NO;
    if (!take_word(&at, name, sizeof(name)) ||
        strcmp(name, wanted[0] ? wanted : FACTS_FIRST_POOL) != 0)
        return;
    if (wanted[0])
        answer->host.pool = FACTS_YES;
    if (take_number(&at, 10, UINT32_MAX, &nr_cpus))
        take_word(&at, answer->host.sched, sizeof(answer->host.sched));
}

static void on_conf(struct answer *answer, const char *at)
{
    size_t left = sizeof(answer->conf) - answer->conf_used;
    int n = snprintf(answer->conf + answer->conf_used, left, "%s\n", at);

    if (n > 0 && (size_t)n < left)
        answer->conf_used += (size_t)n;
    else
        answer->conf[answer->conf_used] = 0;
}

static void on_file(struct answer *answer, const char *at)
{
    static const char *const types[] = {"absent", "file", "block", "other"};
    struct facts_file file = {0};
    char type[8], executable[8];
    uint64_t index;
    unsigned i;

    if (!take_number(&at, 10, UINT32_MAX, &index) ||
        index >= answer->query->nr_files ||
        !take_word(&at, type, sizeof(type)) ||
        !take_word(&at, executable, sizeof(executable)))
        return;
    for (i = 0; i < 4 && strcmp(type, types[i]) != 0; i++)
        ;
    if (i == 4)
        return;
    file.type = (enum facts_file_type)i;
    file.executable = strcmp(executable, "yes") == 0;
    at += strspn(at, " ");
    file.has_size = take_number(&at, 10, INT64_MAX, &file.size_bytes);
    if (!file.has_size)
        at += strcspn(at, " ");
    if (!take_number(&at, 16, UINT32_MAX, &file.fs_magic))
        file.fs_magic = 0;
    answer->host.files[index] = file;
    if (answer->host.nr_files == index)
        answer->host.nr_files++;
}

static void on_qemu(struct answer *answer, const char *at)
{
    struct facts_file *file;
    uint64_t index;

    if (!take_number(&at, 10, UINT32_MAX, &index) ||
        index >= answer->query->nr_files)
        return;
    file = &answer->host.files[index];
    facts_qemu_parse_version(at, file->version, sizeof(file->version));
}

static void on_port(struct answer *answer, const char *at)
{
    facts_ports_take_line(answer->query, at, &answer->host);
    answer->host.nr_ports = answer->query->nr_ports;
}

static void on_clock(struct answer *answer, const char *at)
{
    uint64_t seconds;

    if (!take_number(&at, 10, MAX_SECONDS, &seconds))
        return;
    answer->host.has_clock = true;
    answer->host.clock_ns = seconds * NS_PER_S;
}

static void on_bridge(struct answer *answer, const char *at)
{
    char word[8];
    uint64_t index;

    if (!take_number(&at, 10, UINT32_MAX, &index) ||
        index >= answer->query->nr_bridges ||
        !take_word(&at, word, sizeof(word)))
        return;
    answer->host.bridges[index] = yes_or_no(strcmp(word, "yes") == 0);
    if (answer->host.nr_bridges == index)
        answer->host.nr_bridges++;
}

static void on_line(struct answer *answer, const char *line)
{
    static const struct {
        const char *word;
        void (*take)(struct answer *answer, const char *at);
    } kinds[] = {
        {"host", on_host}, {"boot", on_boot},   {"info", on_info},
        {"vm", on_vm},     {"pool", on_pool},   {"conf", on_conf},
        {"file", on_file}, {"qemu", on_qemu},   {"bridge", on_bridge},
        {"port", on_port}, {"clock", on_clock},
    };
    size_t length = strcspn(line, " ");

    if (!answer->begun) {
        answer->begun = strcmp(line, FIRST_LINE) == 0;
        return;
    }
    if (strcmp(line, LAST_LINE) == 0)
        answer->ended = true;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strlen(kinds[i].word) == length &&
            memcmp(kinds[i].word, line, length) == 0 && line[length] == ' ')
            kinds[i].take(answer, line + length + 1);
    }
}

/* A line that is too long, or has a NUL in it, says nothing. */
static void take_lines(struct answer *answer, const char *text, size_t nr_bytes)
{
    char line[LINE_BYTES];

    for (unsigned i = 0; i < MAX_LINES && nr_bytes && !answer->ended; i++) {
        const char *end = memchr(text, '\n', nr_bytes);
        size_t length = end ? (size_t)(end - text) : nr_bytes;

        if (length < sizeof(line)) {
            memcpy(line, text, length);
            line[length] = 0;
            on_line(answer, line);
        }
        length += end != NULL;
        text += length;
        nr_bytes -= length;
    }
}

int facts_stock_get(const char *text, size_t nr_bytes,
                    const struct facts_query *query,
                    struct facts_host *ret_host, struct xcx_err *err)
{
    struct answer answer = {.query = query};

    for (unsigned i = 0; i < query->nr_ports; i++)
        answer.host.ports_taken[i] = FACTS_NO;
    take_lines(&answer, text, nr_bytes);
    if (!answer.ended)
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "the target did not answer the questions about it "
                           "(is its shell a usual one?)");
    answer.host.has_xen = answer.has_major && answer.has_minor &&
                          answer.has_total && answer.has_free;
    if (answer.has_command_line)
        answer.host.autoballoon =
            xl_conf_autoballoon(answer.conf, answer.command_line) ? FACTS_YES
                                                                  : FACTS_NO;
    if (answer.host.nr_files != query->nr_files)
        answer.host.nr_files = 0;
    if (answer.host.nr_bridges != query->nr_bridges)
        answer.host.nr_bridges = 0;
    *ret_host = answer.host;
    return 0;
}
