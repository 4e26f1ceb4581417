/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FUZZ_TARGET_H
#define FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

/** What libFuzzer, or replay.c in its place, calls with each input. @return 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
