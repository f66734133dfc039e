/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "receive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "xl-migrate/domain/guest_keys.h"

static int nibble(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = digit ? strchr(digits, digit) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* In place; false: not hexadecimal. */
static bool decode_hex(char *text, uint32_t *ret_bytes)
{
    size_t nr_digits = strlen(text);

    for (size_t i = 0; i + 1 < nr_digits; i += 2) {
        int high = nibble(text[i]), low = nibble(text[i + 1]);

        if (high < 0 || low < 0)
            return false;
        text[i / 2] = (char)(high * 16 + low);
    }
    text[nr_digits / 2] = 0;
    *ret_bytes = (uint32_t)(nr_digits / 2);
    return nr_digits % 2 == 0;
}

/* A value that is not text comes as value_hex, an empty one as null. */
static int take_value(const struct message *message,
                      struct xenstore_entry *entry, struct xcx_err *err)
{
    const char *text = "";
    bool is_hex = message_value(message, "value_hex") != NULL;

    if (is_hex) {
        if (message_text(message, "value_hex", 0, 2 * XENSTORE_MAX_VALUE_BYTES,
                         &text, err))
            return -1;
    } else if (!YAJL_IS_NULL(message_value(message, "value")) &&
               message_text(message, "value", 0, XENSTORE_MAX_VALUE_BYTES,
                            &text, err)) {
        return -1;
    }
    entry->value = strdup(text);
    if (!entry->value)
        return xcx_err_set(err, XCX_ERR_RESOURCE, ENOMEM, "xenstore key");
    entry->value_bytes = (uint32_t)strlen(text);
    if (is_hex && !decode_hex(entry->value, &entry->value_bytes))
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "a xenstore whose \"value_hex\" is improper");
    return 0;
}

static int take_perms(const struct message *message,
                      struct xenstore_entry *entry, struct xcx_err *err)
{
    yajl_val perms = message_value(message, "perms");

    if (!YAJL_IS_ARRAY(perms) || perms->u.array.len < 1 ||
        perms->u.array.len > XENSTORE_MAX_PERMS)
        return xcx_err_set(err, XCX_ERR_PEER, 0,
                           "a xenstore whose \"perms\" is improper");
    for (size_t i = 0; i < perms->u.array.len; i++) {
        const char *text = YAJL_GET_STRING(perms->u.array.values[i]);

        if (!text || strlen(text) >= XENSTORE_PERM_BYTES)
            return xcx_err_set(err, XCX_ERR_PEER, 0,
                               "a xenstore whose \"perms\" is improper");
        if (xenstore_perm_parse(text, &entry->perms[i], err))
            return -1;
    }
    entry->nr_perms = (unsigned)perms->u.array.len;
    return 0;
}

/* The guest moves all the same; the source's administrator reads why. */
static int leave_out(const struct receive *receive, const char *path)
{
    xcx_log(&receive->log, XCX_LOG_WARN,
            "xenstore key %.200s: not one of a guest's own, and not in "
            "xenstore_keys here: left out",
            path);
    return 0;
}

int receive_key(struct receive *receive, const struct message *message,
                struct xcx_err *err)
{
    struct xenstore_entry entry = {.path = NULL};
    const char *path;
    int rc = -1;

    if (!receive->has_case)
        return channel_unexpected(&receive->channel, message, err);
    /*
     * On their way while the copy was given up, or from a source that comes
     * again and does not know yet that it has been let go.
     */
    if (receive->journal.entry > HANDOVER_READY)
        return 0;
    if (message_text(message, "path", 1, XENSTORE_MAX_PATH_BYTES, &path, err) ||
        take_value(message, &entry, err) || take_perms(message, &entry, err))
        goto out;
    entry.path = (char *)path; /* the tree copies it */
    guest_keys_restrict(&entry);
    if (guest_keys_allow(path, &receive->config->xenstore_keys))
        rc = xenstore_tree_add(&receive->keys, &entry, err);
    else
        rc = leave_out(receive, path);
out:
    free(entry.value);
    return rc;
}

int receive_keys_write(struct receive *receive, struct xcx_err *err)
{
    int rc;

    if (!receive->keys.nr_entries)
        return 0;
    rc = xenstore_write(receive->host.xs, receive->target.domid, &receive->keys,
                        err);
    xenstore_tree_done(&receive->keys);
    return rc;
}
