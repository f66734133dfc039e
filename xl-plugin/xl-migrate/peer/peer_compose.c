/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "peer_compose.h"

#include "xl-migrate/wire/message.h"

static void put_hex(struct json *json, const struct xenstore_entry *entry)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * XENSTORE_MAX_VALUE_BYTES + 1];
    uint32_t nr_bytes = entry->value_bytes;

    if (nr_bytes > XENSTORE_MAX_VALUE_BYTES)
        nr_bytes = XENSTORE_MAX_VALUE_BYTES;
    for (uint32_t i = 0; i < nr_bytes; i++) {
        unsigned char byte = (unsigned char)entry->value[i];

        text[2 * i] = digits[byte >> 4];
        text[2 * i + 1] = digits[byte & 0xf];
    }
    text[2 * nr_bytes] = 0;
    json_text(json, "value_hex", text);
}

static bool is_plain(const struct xenstore_entry *entry)
{
    for (uint32_t i = 0; i < entry->value_bytes; i++) {
        if (entry->value[i] < ' ' || entry->value[i] > '~')
            return false;
    }
    return true;
}

int peer_compose_entry(const struct xenstore_entry *entry, struct json *json,
                       struct xcx_err *err)
{
    if (message_begin(json, "xenstore", err))
        return -1;
    json_text(json, "path", entry->path);
    if (is_plain(entry))
        json_text(json, "value", entry->value);
    else
        put_hex(json, entry);
    json_open_array(json, "perms");
    for (unsigned i = 0; i < entry->nr_perms; i++) {
        char text[XENSTORE_PERM_BYTES];

        xenstore_perm_text(&entry->perms[i], text);
        json_text(json, NULL, text);
    }
    json_close_array(json);
    return 0;
}

int peer_compose_begin(const struct peer_begin *begin, struct json *json,
                       struct xcx_err *err)
{
    if (message_begin(json, "begin", err))
        return -1;
    json_text(json, "id", begin->about->id);
    json_text(json, "uuid", begin->about->uuid);
    json_text(json, "name", begin->about->name);
    json_text(json, "source", begin->source);
    json_bool(json, "debug", begin->debug);
    json_bool(json, "pause", begin->about->stay_paused);
    json_bool(json, "monitor", begin->monitor);
    json_open_map(json, "announce");
    json_count(json, "rounds", begin->announce_rounds);
    json_count(json, "initial_ms", begin->announce_initial_ms);
    json_count(json, "step_ms", begin->announce_step_ms);
    json_count(json, "max_ms", begin->announce_max_ms);
    json_close_map(json);
    return 0;
}
