/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Drives a fuzz target for a bounded time:
 *
 *     fuzz_NAME SECONDS SEED CURRENT [FILE...]
 *
 * First each FILE is run as it is; then, until the time is up, inputs of the
 * target's own making and mutations of the files, about as many of each. The
 * input being run is always in the file CURRENT, which is there to look at, or
 * to run again, when the program dies; it is removed at the end. The same SEED
 * and the same FILEs give the same inputs. 0 SECONDS: the files alone.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "../unit/stream_sample.h"

#define MAX_INPUT_BYTES (4u << 20)

struct seed_file {
    uint8_t *data;
    size_t bytes;
};

struct current {
    int fd;
    uint8_t *map;
    unsigned long nr_inputs;
};

static void die(const char *what)
{
    perror(what);
    exit(2);
}

static void open_current(struct current *current, const char *path)
{
    current->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (current->fd < 0)
        die(path);
    current->map = mmap(NULL, MAX_INPUT_BYTES, PROT_READ | PROT_WRITE,
                        MAP_SHARED, current->fd, 0);
    if (current->map == MAP_FAILED)
        die("mmap");
}

/* Runs a copy of exactly its size, so that overreads are seen. */
static void run(struct current *current, const uint8_t *input, size_t bytes)
{
    uint8_t *copy = malloc(bytes ? bytes : 1);

    if (!copy || ftruncate(current->fd, (off_t)bytes))
        die("input");
    memcpy(current->map, input, bytes);
    memcpy(copy, input, bytes);
    LLVMFuzzerTestOneInput(copy, bytes);
    free(copy);
    current->nr_inputs++;
}

static size_t pick(uint64_t *seed, size_t limit)
{
    return (size_t)(sample_random(seed) >> 16) % limit;
}

/* One to four bytes changed, most of them near the front. */
static void mutate(uint64_t *seed, uint8_t *input, size_t bytes)
{
    static const uint8_t values[] = {0, 1, 7, 8, 0x7f, 0x80, 0xff};

    for (size_t left = 1 + pick(seed, 4); left && bytes; left--) {
        size_t near = bytes < 256 || pick(seed, 4) == 0 ? bytes : 256;
        uint8_t *at = input + pick(seed, near);

        if (pick(seed, 2))
            *at ^= (uint8_t)(1u << pick(seed, 8));
        else
            *at = values[pick(seed, sizeof(values))];
    }
}

static void read_file(const char *path, struct seed_file *ret_file)
{
    FILE *file = fopen(path, "rbe");

    if (!file)
        die(path);
    ret_file->data = malloc(MAX_INPUT_BYTES);
    if (!ret_file->data)
        die("memory");
    ret_file->bytes = fread(ret_file->data, 1, MAX_INPUT_BYTES, file);
    fclose(file);
}

/* A file as it is or cut off somewhere, and a few bytes of it changed. */
static size_t mutation(uint64_t *seed, const struct seed_file *file,
                       uint8_t *input)
{
    size_t bytes = file->bytes;

    if (bytes && pick(seed, 4) == 0)
        bytes = 1 + pick(seed, bytes);
    memcpy(input, file->data, bytes);
    mutate(seed, input, bytes);
    return bytes;
}

static size_t next_input(uint64_t *seed, const struct seed_file *files,
                         size_t nr_files, uint8_t *input)
{
    size_t bytes;

    if (nr_files && pick(seed, 2))
        return mutation(seed, &files[pick(seed, nr_files)], input);
    bytes = fuzz_make_input(seed, input, MAX_INPUT_BYTES);
    if (pick(seed, 3) == 0)
        mutate(seed, input, bytes);
    return bytes;
}

int main(int argc, char **argv)
{
    size_t nr_files = argc < 4 ? 0 : (size_t)argc - 4;
    struct seed_file *files = calloc(nr_files + 1, sizeof(*files));
    uint8_t *input = malloc(MAX_INPUT_BYTES);
    struct current current = {0};
    uint64_t seed, end_ns;

    if (argc < 4 || !input || !files) {
        fprintf(stderr, "usage: %s SECONDS SEED CURRENT [FILE...]\n", argv[0]);
        return 2;
    }
    end_ns = xcx_clock_ns() + strtoull(argv[1], NULL, 10) * XCX_NS_PER_S;
    seed = strtoull(argv[2], NULL, 10);
    open_current(&current, argv[3]);
    for (size_t i = 0; i < nr_files; i++) {
        read_file(argv[4 + i], &files[i]);
        run(&current, files[i].data, files[i].bytes);
    }
    while (xcx_clock_ns() < end_ns)
        run(&current, input, next_input(&seed, files, nr_files, input));
    printf("%lu inputs\n", current.nr_inputs);
    munmap(current.map, MAX_INPUT_BYTES);
    close(current.fd);
    unlink(argv[3]);
    for (size_t i = 0; i < nr_files; i++)
        free(files[i].data);
    free(files);
    free(input);
    return 0;
}
