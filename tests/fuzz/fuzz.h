/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz: what a fuzz target defines. fuzz_main.c drives it without any
 * fuzzing engine; the first function alone is what libFuzzer wants.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Runs one input; aborts where a property does not hold. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A random input that gets far, at most room bytes; returns its size. */
size_t fuzz_make_input(uint64_t *seed, uint8_t *buf, size_t room);

#endif
