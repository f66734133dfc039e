/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/bitmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Odd sizes around word and scan boundaries. */
static const uint64_t sizes[] = {0,   1,   63,  64,  65,  127, 128, 255,
                                 256, 257, 319, 320, 500, 511, 1000};
#define NR_SIZES (sizeof(sizes) / sizeof(sizes[0]))
#define MAX_BITS 1000
#define NR_WORDS (MAX_BITS / 64 + 1)

static uint64_t random_state = 99;

static uint64_t random_below(uint64_t limit)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695;
    return (random_state >> 33) % limit;
}

/*
 * The same bits one a byte, by the plainest code there is; what lies past
 * nr_bits in the map's last word is set on purpose.
 */
struct model {
    struct xcx_bitmap map;
    uint64_t words[NR_WORDS];
    uint8_t bits[MAX_BITS + 1];
};

static void model_random(struct model *model, uint64_t nr_bits)
{
    uint64_t run = 0;
    uint8_t value = 0;

    memset(model->words, 0xff, sizeof(model->words));
    xcx_bitmap_wrap(&model->map, model->words, nr_bits);
    for (uint64_t i = 0; i < nr_bits; i++) {
        if (!run--) {
            run = random_below(UINT64_C(1) << random_below(9));
            value = random_below(2) != 0;
        }
        model->bits[i] = value;
        if (value)
            xcx_bitmap_set(&model->map, i);
        else
            xcx_bitmap_clear(&model->map, i);
    }
}

static void assert_same(const struct model *model)
{
    for (uint64_t i = 0; i < model->map.nr_bits; i++)
        assert_int_equal(xcx_bitmap_test(&model->map, i), model->bits[i]);
}

static uint64_t plain_next(const struct model *model, uint64_t from,
                           uint8_t value)
{
    while (from < model->map.nr_bits && model->bits[from] != value)
        from++;
    return from < model->map.nr_bits ? from : model->map.nr_bits;
}

static uint64_t plain_count(const struct model *model, uint64_t start,
                            uint64_t nr)
{
    uint64_t count = 0;

    for (uint64_t i = start; i < model->map.nr_bits && i - start < nr; i++)
        count += model->bits[i];
    return count;
}

static void scans_agree_with_plain_code(void **state)
{
    static struct model model;

    (void)state;
    for (unsigned round = 0; round < 20 * NR_SIZES; round++) {
        uint64_t nr_bits = sizes[round % NR_SIZES];

        model_random(&model, nr_bits);
        assert_same(&model);
        for (uint64_t from = 0; from <= nr_bits + 70; from++) {
            assert_int_equal(xcx_bitmap_next_set(&model.map, from),
                             plain_next(&model, from, 1));
            assert_int_equal(xcx_bitmap_next_clear(&model.map, from),
                             plain_next(&model, from, 0));
        }
        assert_int_equal(xcx_bitmap_count(&model.map),
                         plain_count(&model, 0, nr_bits));
    }
}

static void runs_agree_with_plain_code(void **state)
{
    static struct model model;

    (void)state;
    for (unsigned round = 0; round < 40 * NR_SIZES; round++) {
        uint64_t max_nr = 1 + random_below(300), from = 0, start, nr;

        model_random(&model, sizes[round % NR_SIZES]);
        while (xcx_bitmap_next_run(&model.map, from, max_nr, &start, &nr)) {
            uint64_t end = plain_next(&model, start, 0);

            assert_int_equal(start, plain_next(&model, from, 1));
            assert_int_equal(nr, end - start < max_nr ? end - start : max_nr);
            from = start + nr;
        }
        assert_int_equal(plain_next(&model, from, 1), model.map.nr_bits);
    }
}

static void no_run_leaves_outputs_alone(void **state)
{
    uint64_t words[1] = {0}, start = 5, nr = 6;
    struct xcx_bitmap map;

    (void)state;
    xcx_bitmap_wrap(&map, words, 64);
    assert_false(xcx_bitmap_next_run(&map, 0, 1024, &start, &nr));
    assert_int_equal(start, 5);
    assert_int_equal(nr, 6);
}

static void ranges_agree_with_plain_code(void **state)
{
    static struct model model;

    (void)state;
    for (unsigned round = 0; round < 200 * NR_SIZES; round++) {
        uint64_t nr_bits = sizes[round % NR_SIZES];
        uint64_t start = random_below(nr_bits + 10);
        uint64_t nr = round % 7 ? random_below(nr_bits + 80) : UINT64_MAX;
        uint8_t value = random_below(2) != 0;

        model_random(&model, nr_bits);
        assert_int_equal(xcx_bitmap_count_range(&model.map, start, nr),
                         plain_count(&model, start, nr));
        for (uint64_t i = start; i < nr_bits && i - start < nr; i++)
            model.bits[i] = value;
        if (value)
            xcx_bitmap_set_range(&model.map, start, nr);
        else
            xcx_bitmap_clear_range(&model.map, start, nr);
        assert_same(&model);
    }
}

static void or_and_not_agree_with_plain_code(void **state)
{
    static struct model dst, src;

    (void)state;
    for (unsigned round = 0; round < 10 * NR_SIZES * NR_SIZES; round++) {
        bool is_or = random_below(2) != 0;

        model_random(&dst, sizes[round % NR_SIZES]);
        model_random(&src, sizes[round / NR_SIZES % NR_SIZES]);
        for (uint64_t i = 0; i < dst.map.nr_bits && i < src.map.nr_bits; i++)
            if (src.bits[i])
                dst.bits[i] = is_or;
        if (is_or)
            xcx_bitmap_or(&dst.map, &src.map);
        else
            xcx_bitmap_and_not(&dst.map, &src.map);
        assert_same(&dst);
    }
}

/* A 1 TiB guest: 2^28 pfns, a handful of them dirty. */
static void a_terabyte_is_sparse(void **state)
{
    const uint64_t nr_bits = UINT64_C(1) << 28;
    static const uint64_t dirty[] = {0, 12345678, 100000000, (1u << 28) - 1};
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_bitmap map;
    uint64_t at = 0;

    (void)state;
    assert_int_equal(xcx_bitmap_init(&map, nr_bits, &err), 0);
    for (size_t i = 0; i < 4; i++)
        xcx_bitmap_set(&map, dirty[i]);
    for (size_t i = 0; i < 4; i++) {
        at = xcx_bitmap_next_set(&map, at);
        assert_int_equal(at++, dirty[i]);
    }
    assert_int_equal(xcx_bitmap_next_set(&map, at), nr_bits);
    assert_int_equal(xcx_bitmap_count(&map), 4);
    xcx_bitmap_clear_all(&map);
    assert_int_equal(xcx_bitmap_count(&map), 0);
    xcx_bitmap_done(&map);
    assert_null(map.words);
    xcx_bitmap_done(&map);
}

static void too_large_is_a_resource_error(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_bitmap map = {.nr_bits = 7};

    (void)state;
    assert_int_equal(xcx_bitmap_init(&map, UINT64_C(1) << 62, &err), -1);
    assert_int_equal(err.kind, XCX_ERR_RESOURCE);
    assert_string_equal(
        err.msg, "bitmap of 576460752303423488 bytes: Cannot allocate memory");
    assert_int_equal(map.nr_bits, 7);
}

static void no_bits_at_all(void **state)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_bitmap map;

    (void)state;
    assert_int_equal(xcx_bitmap_init(&map, 0, &err), 0);
    assert_int_equal(xcx_bitmap_next_set(&map, 0), 0);
    assert_int_equal(xcx_bitmap_count(&map), 0);
    xcx_bitmap_clear_all(&map);
    xcx_bitmap_done(&map);
}

static void clear_all_of_wrapped_words(void **state)
{
    uint64_t words[2] = {UINT64_MAX, UINT64_MAX};
    struct xcx_bitmap map;

    (void)state;
    xcx_bitmap_wrap(&map, words, 100);
    xcx_bitmap_clear_all(&map);
    assert_int_equal(words[0] | words[1], 0);
    xcx_bitmap_done(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scans_agree_with_plain_code),
        cmocka_unit_test(runs_agree_with_plain_code),
        cmocka_unit_test(no_run_leaves_outputs_alone),
        cmocka_unit_test(ranges_agree_with_plain_code),
        cmocka_unit_test(or_and_not_agree_with_plain_code),
        cmocka_unit_test(a_terabyte_is_sparse),
        cmocka_unit_test(too_large_is_a_resource_error),
        cmocka_unit_test(no_bits_at_all),
        cmocka_unit_test(clear_all_of_wrapped_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
