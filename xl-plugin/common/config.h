/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * config: the settings of xl-migrate.conf, then of the environment.
 *
 *   defaults  <  the file  <  XL_MIGRATE_<KEY> in the environment
 *
 * The file is /etc/xen/xl-migrate.conf, which need not exist, or the one
 * that XL_MIGRATE_CONF names, which must. Its syntax is that of xl.conf: it
 * is read by libxlutil. In addition an unknown key, a key given twice and
 * "+=" are errors, since what is misspelt would otherwise not be noticed.
 *
 * Every error is one line, kind USAGE (IO for a file that cannot be read),
 * that names the file, the line, the key and the value:
 *
 *   /etc/xen/xl-migrate.conf:3: downtime_ms = "fast": expected a whole
 *   number from 0 to 3600000
 *
 * xl-migrate.conf(5) has the keys and what they mean. No thread may change
 * the environment meanwhile.
 */
#ifndef COMMON_CONFIG_H
#define COMMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "xcext.h"

#define CONFIG_PATH_BYTES         1024 /* longest path, its NUL included */
#define CONFIG_TEXT_BYTES         1024 /* longest text, the same */
#define CONFIG_MAX_WORKERS        64
#define CONFIG_FILE_MAX_BYTES     65536 /* a longer file is refused */
#define CONFIG_MAX_XENSTORE_KEYS  32
#define CONFIG_XENSTORE_KEY_BYTES 256 /* its NUL included */

/* The helper that restores a plain stream. */
enum config_restore {
    CONFIG_RESTORE_OURS,
    CONFIG_RESTORE_STOCK,
};

/* Each is relative to the domain's home, and stands for all below it. */
struct config_xenstore_keys {
    unsigned nr;
    char key[CONFIG_MAX_XENSTORE_KEYS][CONFIG_XENSTORE_KEY_BYTES];
};

struct config {
    /* Settings of both programs. */
    unsigned long downtime_ms;
    unsigned long time_budget_s;
    unsigned long max_rounds;
    unsigned long bandwidth_mib_per_s;
    unsigned long workers; /* CONFIG_MAX_WORKERS + 1: none */
    unsigned on_slow;      /* enum xcx_on_slow */
    unsigned log_level;    /* enum xcx_log_level: the lowest that is told */
    unsigned pv_without_logdirty;         /* 0: refuse, 1: pause */
    unsigned restore;                     /* enum config_restore */
    char stats_dir[CONFIG_PATH_BYTES];    /* "": none are kept */
    unsigned long stats_keep;             /* 0: all */
    char run_dir[CONFIG_PATH_BYTES];      /* "": no state while running */
    char lock_dir[CONFIG_PATH_BYTES];     /* "": the library's default */
    char stock_helper[CONFIG_PATH_BYTES]; /* "": where Xen's packages put it */

    /* Settings of xl-migrate alone. */
    char remote_command[CONFIG_TEXT_BYTES]; /* "": HOST is the command */
    char journal_dir[CONFIG_PATH_BYTES];    /* never "" */
    char hooks_dir[CONFIG_PATH_BYTES];      /* "": no hooks */
    unsigned long hooks_timeout_s;          /* of each hook; 1 or more */
    unsigned long suspend_timeout_s;        /* 1 or more */
    unsigned long blackout_timeout_s;       /* 1 or more */
    unsigned long reconnect_timeout_s;      /* 0: it is not tried */
    unsigned long peer_timeout_s;           /* 4 or more */
    unsigned long build_timeout_s;          /* 1 or more */
    unsigned long decided_keep_h;           /* 0: for good */
    unsigned long announce_rounds;          /* 0: nothing is announced */
    unsigned long announce_initial_ms;
    unsigned long announce_step_ms;
    unsigned long announce_max_ms;
    struct config_xenstore_keys xenstore_keys; /* besides data, attr, vm-data */
};

void config_default(struct config *ret_config);

/*
 * Defaults, file and environment, in this order. On failure *ret_config is
 * untouched.
 */
int config_load(struct config *ret_config, struct xcx_err *err);

/* Loads over a program's own defaults, given in *defaults. */
int config_load_over(struct config *defaults, struct xcx_err *err);

/* The policy's part of it. */
void config_limits(const struct config *config,
                   struct xcx_policy_limits *ret_limits);

/* "throttle", "stop", ... as in on_slow; NULL for no such value. */
const char *config_on_slow_name(enum xcx_on_slow on_slow);

/*
 * Sets a key from a text: for options and requests. origin: the beginning of
 * the error message, "--downtime" say. On failure *config is untouched,
 * but for the xenstore keys, which are those before the wrong one then.
 */
int config_set(struct config *config, const char *key, const char *value,
               const char *origin, struct xcx_err *err);

/* Fills the settings' part of params: limits, workers, lock directory, PV. */
void config_apply(const struct config *config, struct xcx_save_params *params);

#endif
