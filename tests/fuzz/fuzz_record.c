/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each kind of record by itself: an input is its type, a byte whose bit 0
 * says that the guest is PV and bit 1 that it is a 32-bit one, and a body.
 *
 * What holds: what is refused is the peer's mistake, said in words, and leaves
 * the outputs alone; what is taken lies within the limits, and put into bytes
 * again it is what came, but for reserved fields.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/record.h"
#include "../unit/stream_sample.h"

#define FIXED_BYTES 24 /* the longest of the fixed parts */
#define LEAVE       0x5a

struct body {
    const uint8_t *bytes;
    uint32_t nr_bytes;
    bool pv;
    unsigned guest_width;
};

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "fuzz_record: does not hold: %s\n", what);
        abort();
    }
}

static void is_refused(const struct xcx_err *err, const void *output,
                       size_t nr_bytes)
{
    const uint8_t *byte = output;

    must(err->kind == XCX_ERR_STREAM, "it is the peer's mistake");
    must(err->msg[0], "said in words");
    for (size_t i = 0; i < nr_bytes; i++)
        must(byte[i] == LEAVE, "the output is left alone");
}

/* The first nr_bytes that were put are those of the body. */
static void came_back(const struct body *body, const struct xcx_put *put,
                      size_t nr_bytes)
{
    must(!put->overrun && xcx_put_done(put) >= nr_bytes, "it fits");
    must(!memcmp(put->begin, body->bytes, nr_bytes), "it comes back");
}

static void page_data(const struct body *body)
{
    static struct xcx_page_list list;
    struct xcx_get get = xcx_get_over(body->bytes, body->nr_bytes);
    struct xcx_err err = XCX_ERR_INIT;
    uint32_t nr_pfns, nr_pages = 0;

    memset(&nr_pfns, LEAVE, sizeof(nr_pfns));
    if (xcx_page_header_get(&get, body->nr_bytes, &nr_pfns, &err) < 0) {
        is_refused(&err, &nr_pfns, sizeof(nr_pfns));
        return;
    }
    memset(&list, LEAVE, sizeof(list));
    if (xcx_page_list_get(&get, nr_pfns, body->nr_bytes, SAMPLE_MAX_PFN,
                          body->pv, &list, &err) < 0) {
        is_refused(&err, &list, sizeof(list));
        return;
    }
    must(list.nr_pfns == nr_pfns && nr_pfns <= XCX_PAGE_BATCH_MAX, "the count");
    for (uint32_t i = 0; i < nr_pfns; i++) {
        must(list.pfns[i] <= SAMPLE_MAX_PFN, "the pfn is within the limit");
        must(xcx_page_type_is_known(list.types[i]), "the type is known");
        nr_pages += xcx_page_type_has_data(list.types[i]);
    }
    must(list.nr_pages == nr_pages, "the pages are counted");
    must(list.data_bytes == xcx_get_left(&get), "what follows are pages");
}

static void pv_info(const struct body *body)
{
    struct xcx_get get = xcx_get_over(body->bytes, body->nr_bytes);
    uint8_t bytes[FIXED_BYTES];
    struct xcx_put put = xcx_put_over(bytes, sizeof(bytes));
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_pv_info info;

    memset(&info, LEAVE, sizeof(info));
    if (xcx_pv_info_get(&get, &info, &err) < 0) {
        is_refused(&err, &info, sizeof(info));
        return;
    }
    xcx_pv_info_put(&put, &info);
    came_back(body, &put, 2);
}

static void p2m_frames(const struct body *body)
{
    struct xcx_get get = xcx_get_over(body->bytes, body->nr_bytes);
    uint8_t bytes[FIXED_BYTES];
    struct xcx_put put = xcx_put_over(bytes, sizeof(bytes));
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_p2m_frames frames;

    memset(&frames, LEAVE, sizeof(frames));
    if (xcx_p2m_frames_get(&get, body->guest_width, SAMPLE_MAX_PFN, &frames,
                           &err) < 0) {
        is_refused(&err, &frames, sizeof(frames));
        return;
    }
    must(frames.start_pfn <= frames.end_pfn, "a range");
    must(xcx_get_left(&get) ==
             8 * xcx_p2m_frames_nr(&frames, body->guest_width),
         "all frames are there");
    while (xcx_get_left(&get))
        must(xcx_get_le64(&get) <= SAMPLE_MAX_PFN, "and within the limit");
    xcx_p2m_frames_put(&put, &frames);
    came_back(body, &put, XCX_P2M_FRAMES_HEADER_BYTES);
}

static void vcpu(const struct body *body)
{
    struct xcx_get get = xcx_get_over(body->bytes, body->nr_bytes);
    uint8_t bytes[FIXED_BYTES];
    struct xcx_put put = xcx_put_over(bytes, sizeof(bytes));
    struct xcx_err err = XCX_ERR_INIT;
    uint32_t vcpu_id;

    memset(&vcpu_id, LEAVE, sizeof(vcpu_id));
    if (xcx_vcpu_header_get(&get, &vcpu_id, &err) < 0) {
        is_refused(&err, &vcpu_id, sizeof(vcpu_id));
        return;
    }
    xcx_vcpu_header_put(&put, vcpu_id);
    came_back(body, &put, 4);
}

static void tsc_info(const struct body *body)
{
    struct xcx_get get = xcx_get_over(body->bytes, body->nr_bytes);
    uint8_t bytes[FIXED_BYTES];
    struct xcx_put put = xcx_put_over(bytes, sizeof(bytes));
    struct xcx_err err = XCX_ERR_INIT;
    struct xcx_tsc_info info;

    memset(&info, LEAVE, sizeof(info));
    if (xcx_tsc_info_get(&get, &info, &err) < 0) {
        is_refused(&err, &info, sizeof(info));
        return;
    }
    xcx_tsc_info_put(&put, &info);
    came_back(body, &put, XCX_TSC_INFO_BYTES - 4);
}

static void hvm_params(const struct body *body)
{
    struct xcx_get get = xcx_get_over(body->bytes, body->nr_bytes);
    struct xcx_err err = XCX_ERR_INIT;
    uint32_t nr_params;

    memset(&nr_params, LEAVE, sizeof(nr_params));
    if (xcx_hvm_params_get(&get, &nr_params, &err) < 0) {
        is_refused(&err, &nr_params, sizeof(nr_params));
        return;
    }
    for (uint32_t i = 0; i < nr_params; i++) {
        const uint8_t *at = get.pos;
        uint8_t bytes[XCX_HVM_PARAM_BYTES];
        struct xcx_put put = xcx_put_over(bytes, sizeof(bytes));
        struct xcx_hvm_param param = xcx_hvm_param_get(&get);

        xcx_hvm_param_put(&put, &param);
        must(!memcmp(bytes, at, sizeof(bytes)), "it comes back");
    }
    must(!get.overrun && !xcx_get_left(&get), "all are there");
}

static void (*const decode[XCX_NR_RECORD_TYPES])(const struct body *body) = {
    [XCX_REC_PAGE_DATA] = page_data,
    [XCX_REC_X86_PV_INFO] = pv_info,
    [XCX_REC_X86_PV_P2M_FRAMES] = p2m_frames,
    [XCX_REC_X86_PV_VCPU_BASIC] = vcpu,
    [XCX_REC_X86_PV_VCPU_EXTENDED] = vcpu,
    [XCX_REC_X86_PV_VCPU_XSAVE] = vcpu,
    [XCX_REC_X86_PV_VCPU_MSRS] = vcpu,
    [XCX_REC_X86_TSC_INFO] = tsc_info,
    [XCX_REC_HVM_PARAMS] = hvm_params,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct xcx_err err = XCX_ERR_INIT;
    struct body body;
    uint32_t type;

    if (size < 2)
        return 0;
    /* Types that are unknown, and the optional ones, come in small, too. */
    type = (data[0] & 0x7f) | (data[0] & 0x80 ? XCX_REC_OPTIONAL : 0);
    body = (struct body){.bytes = data + 2,
                         .nr_bytes = (uint32_t)size - 2,
                         .pv = data[1] & 1,
                         .guest_width = data[1] & 2 ? 4 : 8};
    if (xcx_record_check_length(type, body.nr_bytes, SAMPLE_MAX_PFN, &err) < 0)
        is_refused(&err, &type, 0);
    else
        must(type & XCX_REC_OPTIONAL || type < XCX_NR_RECORD_TYPES,
             "only a known type has a length");
    /* Each decoder is safe by itself, whether or not its caller has asked. */
    if (type < XCX_NR_RECORD_TYPES && decode[type])
        decode[type](&body);
    return 0;
}

/* ---- random inputs: bodies of about the right length ------------------- */

static uint32_t pick(uint64_t *seed, uint32_t limit)
{
    return (uint32_t)(sample_random(seed) >> 32) % limit;
}

static void put_pages(struct xcx_put *put, uint64_t *seed)
{
    static const uint8_t contents[XCX_PAGE_BYTES];
    uint32_t nr_pfns = 1 + pick(seed, pick(seed, 8) ? 8 : 1025);
    uint32_t nr_pages = 0;

    xcx_page_header_put(put, nr_pfns);
    for (uint32_t i = 0; i < nr_pfns; i++) {
        unsigned type = pick(seed, 4) ? 0 : pick(seed, 16);
        uint64_t pfn = pick(seed, SAMPLE_MAX_PFN + 1);

        if (pick(seed, 500) == 0)
            pfn = sample_random(seed);
        nr_pages += xcx_page_type_has_data(type);
        xcx_put_le64(put, xcx_page_entry(pfn, type));
    }
    while (nr_pages--)
        xcx_put_copy(put, contents, sizeof(contents));
}

static void put_frames(struct xcx_put *put, uint64_t *seed, unsigned width)
{
    struct xcx_p2m_frames frames = {.start_pfn = pick(seed, 4000)};
    uint64_t nr_frames;

    frames.end_pfn = frames.start_pfn + pick(seed, 20000);
    xcx_p2m_frames_put(put, &frames);
    nr_frames = xcx_p2m_frames_nr(&frames, width);
    while (nr_frames--)
        xcx_put_le64(put, pick(seed, SAMPLE_MAX_PFN + 1 + !pick(seed, 100)));
}

static void put_params(struct xcx_put *put, uint64_t *seed)
{
    uint32_t nr_params = pick(seed, 40);

    xcx_hvm_params_put(put, nr_params);
    while (nr_params--) {
        struct xcx_hvm_param param = {pick(seed, 40), sample_random(seed)};

        xcx_hvm_param_put(put, &param);
    }
}

static void put_noise(struct xcx_put *put, uint64_t *seed)
{
    for (uint32_t left = pick(seed, pick(seed, 4) ? 33 : 5000); left; left--)
        xcx_put_u8(put, (uint8_t)(sample_random(seed) >> 56));
}

size_t fuzz_make_input(uint64_t *seed, uint8_t *buf, size_t room)
{
    struct xcx_put put = xcx_put_over(buf, room);
    uint8_t type = (uint8_t)pick(seed, XCX_NR_RECORD_TYPES + 1);
    uint8_t guest = (uint8_t)pick(seed, 4);
    struct xcx_pv_info info = {.guest_width = 8, .pt_levels = 4};

    if (pick(seed, 16) == 0)
        type |= (uint8_t)pick(seed, 256);
    xcx_put_u8(&put, type);
    xcx_put_u8(&put, guest);
    if (type == XCX_REC_PAGE_DATA)
        put_pages(&put, seed);
    else if (type == XCX_REC_X86_PV_P2M_FRAMES)
        put_frames(&put, seed, guest & 2 ? 4 : 8);
    else if (type == XCX_REC_HVM_PARAMS)
        put_params(&put, seed);
    else if (type == XCX_REC_X86_PV_INFO)
        xcx_pv_info_put(&put, &info);
    if (xcx_put_done(&put) == 2 || pick(seed, 16) == 0)
        put_noise(&put, seed);
    return xcx_put_done(&put);
}
