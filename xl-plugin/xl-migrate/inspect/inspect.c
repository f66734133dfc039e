/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "inspect.h"

#include <inttypes.h>
#include <string.h>

#define LIBXC_MAGIC "\xff\xff\xff\xff\xff\xff\xff\xff"

const char *inspect_layer_name(enum inspect_layer layer)
{
    static const char *const names[] = {
        [INSPECT_XL] = "xl",
        [INSPECT_LIBXL] = "libxl",
        [INSPECT_LIBXC] = "libxc",
    };

    return names[layer];
}

/* ---- what the libxl layer calls back ----------------------------------- */

static int on_header(void *opaque, uint32_t options, struct xcx_err *err)
{
    (void)err;
    ((struct inspect *)opaque)->libxl_options = options;
    return 0;
}

static int on_record(void *opaque, uint32_t type, uint32_t body_bytes,
                     uint64_t offset, struct xcx_err *err)
{
    struct inspect *inspect = opaque;
    struct xcx_inspect_kind *kind =
        &inspect
             ->kinds[type < LIBXL_NR_RECORD_TYPES ? type : INSPECT_LIBXL_OTHER];

    (void)err;
    if (!kind->nr_records++)
        kind->first_offset = offset;
    kind->bytes +=
        LIBXL_RECORD_HEADER_BYTES + (((uint64_t)body_bytes + 7) & ~UINT64_C(7));
    return 0;
}

static struct inspect_emulator *emulator_of(struct inspect *inspect,
                                            uint32_t id)
{
    return &inspect->emulators[id < INSPECT_NR_EMULATORS - 1
                                   ? id
                                   : INSPECT_NR_EMULATORS - 1];
}

static int on_xenstore(void *opaque, uint32_t emulator, uint32_t index,
                       const char *key, const char *value, struct xcx_err *err)
{
    (void)index;
    (void)key;
    (void)value;
    (void)err;
    emulator_of(opaque, emulator)->nr_xenstore_keys++;
    return 0;
}

static int on_context(void *opaque, uint32_t emulator, uint32_t index,
                      const void *bytes, size_t nr_bytes, struct xcx_err *err)
{
    (void)index;
    (void)bytes;
    (void)err;
    emulator_of(opaque, emulator)->context_bytes += nr_bytes;
    return 0;
}

/* ---- from layer to layer ----------------------------------------------- */

static void begin_libxl(struct inspect *inspect)
{
    struct libxl_stream_ops ops = {
        .opaque = inspect,
        .header = on_header,
        .record = on_record,
        .xenstore = on_xenstore,
        .context = on_context,
    };

    inspect->now = INSPECT_LIBXL;
    libxl_stream_init(&inspect->libxl, &ops, inspect->nr_bytes);
}

/* At its beginning, or behind a checkpoint. */
static int begin_libxc(struct inspect *inspect)
{
    inspect->now = INSPECT_LIBXC;
    inspect->libxc_part_bytes = 0;
    if (!inspect->libxc)
        return xcx_inspector_new(inspect->nr_bytes, &inspect->libxc,
                                 &inspect->err);
    xcx_inspector_resume(inspect->libxc, inspect->nr_bytes);
    return 0;
}

static int end_xl(struct inspect *inspect)
{
    const struct xl_header *header = &inspect->header;

    if (header->mandatory_flags & XL_HEADER_FLAG_JSON && header->config_bytes) {
        if (xl_config_parse(header->config, header->config_bytes,
                            &inspect->config, &inspect->err) < 0)
            return xcx_err_prefix(&inspect->err,
                                  "xl header: configuration at byte %d",
                                  XL_HEADER_BYTES + 4);
        inspect->has_config = true;
    }
    begin_libxl(inspect);
    return 0;
}

static void end_libxc_part(struct inspect *inspect,
                           enum xcx_inspector_state state)
{
    if (inspect->outer != INSPECT_LIBXC) {
        inspect->now = INSPECT_LIBXL;
        libxl_stream_libxc_done(&inspect->libxl, inspect->libxc_part_bytes,
                                state == XCX_INSPECTOR_CHECKPOINT);
    } else if (state == XCX_INSPECTOR_CHECKPOINT) {
        xcx_inspector_resume(inspect->libxc, inspect->nr_bytes);
    } else {
        inspect->ended = true;
    }
}

/* ---- feeding one layer ------------------------------------------------- */

static int feed_xl(struct inspect *inspect, const void *bytes, size_t nr_bytes,
                   size_t *ret_used)
{
    if (xl_header_feed(&inspect->header, bytes, nr_bytes, ret_used,
                       &inspect->err) < 0)
        return -1;
    inspect->nr_bytes += *ret_used;
    return inspect->header.state == XL_HEADER_DONE ? end_xl(inspect) : 0;
}

static int feed_libxl(struct inspect *inspect, const void *bytes,
                      size_t nr_bytes, size_t *ret_used)
{
    if (libxl_stream_feed(&inspect->libxl, bytes, nr_bytes, ret_used,
                          &inspect->err) < 0)
        return -1;
    inspect->nr_bytes += *ret_used;
    if (inspect->libxl.state == LIBXL_STREAM_LIBXC)
        return begin_libxc(inspect);
    inspect->ended = inspect->libxl.state == LIBXL_STREAM_END;
    return 0;
}

static int feed_libxc(struct inspect *inspect, const void *bytes,
                      size_t nr_bytes, size_t *ret_used)
{
    enum xcx_inspector_state state;

    if (xcx_inspector_feed(inspect->libxc, bytes, nr_bytes, ret_used,
                           &inspect->err) < 0)
        return xcx_err_prefix(&inspect->err, "libxc stream");
    inspect->nr_bytes += *ret_used;
    inspect->libxc_part_bytes += *ret_used;
    state = xcx_inspector_state(inspect->libxc);
    if (state != XCX_INSPECTOR_READING)
        end_libxc_part(inspect, state);
    return 0;
}

static int feed_layers(struct inspect *inspect, const uint8_t *bytes,
                       size_t nr_bytes)
{
    while (nr_bytes && !inspect->ended) {
        size_t used = 0;
        int rc;

        if (inspect->now == INSPECT_XL)
            rc = feed_xl(inspect, bytes, nr_bytes, &used);
        else if (inspect->now == INSPECT_LIBXL)
            rc = feed_libxl(inspect, bytes, nr_bytes, &used);
        else
            rc = feed_libxc(inspect, bytes, nr_bytes, &used);
        if (rc < 0)
            return -1;
        bytes += used;
        nr_bytes -= used;
    }
    inspect->trailing_bytes += nr_bytes;
    return 0;
}

/* ---- the interface ----------------------------------------------------- */

static int choose_layer(struct inspect *inspect)
{
    const uint8_t *magic = inspect->magic;

    if (memcmp(magic, xl_header_magic, INSPECT_MAGIC_BYTES) == 0) {
        inspect->outer = inspect->now = INSPECT_XL;
        return 0;
    }
    if (memcmp(magic, LIBXL_STREAM_IDENT, INSPECT_MAGIC_BYTES) == 0) {
        inspect->outer = INSPECT_LIBXL;
        begin_libxl(inspect);
        return 0;
    }
    if (memcmp(magic, LIBXC_MAGIC, INSPECT_MAGIC_BYTES) == 0) {
        inspect->outer = INSPECT_LIBXC;
        return begin_libxc(inspect);
    }
    return xcx_err_set(&inspect->err, XCX_ERR_STREAM, 0,
                       "neither an xl, a libxl nor a libxc stream of version 2 "
                       "or later begins at byte 0");
}

void inspect_init(struct inspect *inspect)
{
    memset(inspect, 0, sizeof(*inspect));
    inspect->err = XCX_ERR_INIT;
    xl_header_init(&inspect->header);
    for (unsigned i = 0; i < INSPECT_NR_KINDS; i++)
        inspect->kinds[i].name = libxl_record_name(i);
}

void inspect_done(struct inspect *inspect)
{
    xl_header_done(&inspect->header);
    xcx_inspector_free(inspect->libxc);
    inspect->libxc = NULL;
}

int inspect_feed(struct inspect *inspect, const void *bytes, size_t nr_bytes)
{
    const uint8_t *pos = bytes;

    if (xcx_err_is_set(&inspect->err))
        return -1;
    while (nr_bytes && inspect->magic_bytes < INSPECT_MAGIC_BYTES) {
        inspect->magic[inspect->magic_bytes++] = *pos++;
        nr_bytes--;
        if (inspect->magic_bytes == INSPECT_MAGIC_BYTES &&
            (choose_layer(inspect) < 0 ||
             feed_layers(inspect, inspect->magic, INSPECT_MAGIC_BYTES) < 0))
            return -1;
    }
    return feed_layers(inspect, pos, nr_bytes);
}

int inspect_finish(struct inspect *inspect)
{
    struct xcx_err *err = &inspect->err;

    if (xcx_err_is_set(err))
        return -1;
    if (inspect->ended)
        return 0;
    switch (inspect->now) {
    case INSPECT_NONE:
        inspect->nr_bytes = inspect->magic_bytes;
        return xcx_err_set(err, XCX_ERR_STREAM, 0,
                           "truncated at byte %u, too short to tell what it is",
                           inspect->magic_bytes);
    case INSPECT_XL:
        return xl_header_finish(&inspect->header, err);
    case INSPECT_LIBXL:
        return libxl_stream_finish(&inspect->libxl, err);
    default:
        xcx_inspector_finish(inspect->libxc, err);
        return xcx_err_prefix(err, "libxc stream");
    }
}

static void libxl_place(const struct libxl_stream *libxl,
                        struct inspect_place *place)
{
    bool between = libxl->state == LIBXL_STREAM_RECORD_HEADER;

    place->offset = libxl->offset;
    place->record_offset = libxl->start;
    if (libxl->nr_records) {
        place->record_name = libxl_record_name(libxl->type);
        place->record_index = libxl->nr_records - 1;
        place->record_offset = libxl->record_offset;
    }
    if (between && libxl->left) {
        place->record_name = "";
        place->record_index = libxl->nr_records;
        place->record_offset = libxl->offset - libxl->buf_bytes;
    }
}

struct inspect_place inspect_place(struct inspect *inspect)
{
    struct inspect_place place = {.layer = inspect_layer_name(inspect->now),
                                  .record_name = ""};
    const struct xcx_inspect *libxc;

    if (inspect->now == INSPECT_LIBXC && inspect->libxc) {
        libxc = xcx_inspector_report(inspect->libxc);
        place.record_name = libxc->record_name;
        place.record_index = libxc->record_index;
        place.record_offset = libxc->record_offset;
        place.offset = libxc->end_offset;
    } else if (inspect->now == INSPECT_LIBXL) {
        libxl_place(&inspect->libxl, &place);
    } else if (inspect->now == INSPECT_XL) {
        place.offset = inspect->header.offset;
    } else {
        place.offset = inspect->nr_bytes;
    }
    return place;
}
