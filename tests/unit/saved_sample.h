/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * saved_sample: save files as xl and libxl write them, around the random
 * libxc streams of stream_sample.h. For tests only: no memory aborts.
 */
#ifndef SAVED_SAMPLE_H
#define SAVED_SAMPLE_H

#include "stream_sample.h"

enum saved_layer {
    SAVED_XL,
    SAVED_LIBXL,
    SAVED_LIBXC,
    SAVED_NR_LAYERS,
};

/* Where things came to lie. */
struct saved_layout {
    size_t config_at, config_bytes; /* SAVED_XL; the NUL counts */
    size_t libxl_at;
    size_t libxc_at, libxc_bytes;
    size_t context_at; /* header of the last EMULATOR_CONTEXT */
};

#define SAVED_CONFIG                                                           \
    "{\"c_info\":{\"type\":\"hvm\",\"name\":\"web-7\",\"uuid\":"               \
    "\"6a3c4ed0-1111-4222-8333-944455556666\"},\"b_info\":{\"max_vcpus\":4,"   \
    "\"avail_vcpus\":[0,1],\"max_memkb\":524288,\"target_memkb\":262144,"      \
    "\"type.hvm\":{\"name\":\"no\",\"max_vcpus\":9}},\"disks\":[{\"vdev\":"    \
    "\"xvda\",\"x\":{}},{}],\"nics\":[{\"mac\":\"00:16:3e:00:00:01\"}]}"

#define SAVED_CONTEXT_BYTES    1001
#define SAVED_NR_XENSTORE_KEYS 3

/* Puts bytes at the end of buf. */
void saved_put(struct sample_buf *buf, const void *bytes, size_t nr_bytes);
void saved_put_le32(struct sample_buf *buf, uint32_t value);
void saved_put_be32(struct sample_buf *buf, uint32_t value);

void saved_put_xl_header(struct sample_buf *buf, uint32_t mandatory_flags,
                         const char *config, uint32_t config_bytes);
void saved_put_libxl_header(struct sample_buf *buf);
/* A record of libxl's with the given body, padded. */
void saved_put_record(struct sample_buf *buf, uint32_t type, const void *body,
                      uint32_t body_bytes);

/* A whole legal file. A checkpointed kind has records at each checkpoint. */
void saved_make(enum saved_layer outer, enum sample_kind kind, uint64_t seed,
                struct sample_buf *bytes, struct saved_layout *ret_layout);

#endif
