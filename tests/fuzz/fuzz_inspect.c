/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inspecting any bytes whatever, through all layers. An input's first byte
 * says how to cut the rest in pieces.
 *
 * Beyond what the sanitizers see, this holds: pieces or not, what is printed
 * is the same; an error is the stream's (STREAM) and names a byte that is
 * there; all bytes are accounted for; what is printed can be printed.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xl-migrate/inspect/inspect.h"
#include "xl-migrate/inspect/inspect_print.h"
#include "../unit/saved_sample.h"

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "fuzz_inspect: does not hold: %s\n", what);
        abort();
    }
}

static size_t pick(uint64_t *seed, size_t limit)
{
    return (size_t)(sample_random(seed) >> 16) % limit;
}

static void check_error(struct inspect *inspect, size_t size)
{
    must(inspect->err.kind == XCX_ERR_STREAM, "it is the stream's mistake");
    must(strstr(inspect->err.msg, "at byte ") != NULL, "the error says where");
    must(inspect_place(inspect).offset <= size, "it is in the file");
    must(inspect_place(inspect).record_offset <= inspect_place(inspect).offset,
         "the record begins before it");
}

/* All that is printed, malloc'ed. pieces: 0, or a seed for where to cut. */
static char *inspect_all(const uint8_t *data, size_t size, uint64_t pieces)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct inspect inspect;
    char *text = NULL;
    size_t nr_bytes, piece;
    FILE *out = open_memstream(&text, &nr_bytes);

    must(out != NULL, "there is memory");
    inspect_init(&inspect);
    for (size_t at = 0; at < size; at += piece) {
        piece = pieces ? 1 + pick(&pieces, 1 + pick(&pieces, 5000)) : size;
        piece = piece < size - at ? piece : size - at;
        if (inspect_feed(&inspect, data + at, piece) < 0)
            break;
    }
    if (inspect_finish(&inspect) < 0)
        check_error(&inspect, size);
    else
        must(inspect.nr_bytes + inspect.trailing_bytes == size,
             "all bytes are counted");
    must(inspect_print_json(&inspect, "fuzz", out, &err) == 0, "JSON");
    inspect_print_text(&inspect, "fuzz", out);
    fclose(out);
    inspect_done(&inspect);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *whole, *cut;

    if (size < 1)
        return 0;
    whole = inspect_all(data + 1, size - 1, 0);
    cut = inspect_all(data + 1, size - 1, 1 + data[0]);
    must(strcmp(whole, cut) == 0, "the same in pieces");
    free(whole);
    free(cut);
    return 0;
}

/* ---- random inputs: legal files with a few bytes tampered with --------- */

/* Where the layers' own fields lie, so that changes hit them. */
static size_t interesting(uint64_t *seed, const struct saved_layout *layout,
                          size_t size)
{
    size_t starts[] = {0,
                       32,
                       layout->config_at,
                       layout->libxl_at,
                       layout->libxc_at,
                       layout->context_at};
    size_t at = starts[pick(seed, sizeof(starts) / sizeof(starts[0]))];

    at += pick(seed, pick(seed, 4) ? 64 : 600);
    return at < size ? at : size - 1;
}

size_t fuzz_make_input(uint64_t *seed, uint8_t *buf, size_t room)
{
    enum saved_layer outer = (enum saved_layer)pick(seed, SAVED_NR_LAYERS);
    enum sample_kind kind = (enum sample_kind)pick(seed, SAMPLE_NR_KINDS);
    struct sample_buf bytes = {0};
    struct saved_layout layout;
    size_t size;

    saved_make(outer, kind, sample_random(seed), &bytes, &layout);
    size = bytes.bytes < room - 1 ? bytes.bytes : room - 1;
    buf[0] = (uint8_t)pick(seed, 256);
    memcpy(buf + 1, bytes.data, size);
    for (size_t left = pick(seed, 4); left; left--) {
        uint8_t *at = buf + 1 + interesting(seed, &layout, size);

        *at = pick(seed, 2) ? *at ^ (uint8_t)(1U << pick(seed, 8))
                            : (uint8_t)pick(seed, 256);
    }
    sample_buf_done(&bytes);
    return pick(seed, 6) ? 1 + size : 1 + pick(seed, size);
}
