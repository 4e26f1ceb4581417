/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_UTIL_DIGEST_H
#define STOQ_UTIL_DIGEST_H

/* SHA-256 over OpenSSL's EVP (which uses the CPU's SHA extensions), and hexadecimal. */

#include <stddef.h>
#include <stdint.h>

#define STOQ_SHA256_SIZE 32
#define STOQ_SHA256_HEX  65

/** Digest of @p size bytes. @return 0 or -ENOMEM. Threads: any. */
int stoq_sha256(const void *data, size_t size, uint8_t out[STOQ_SHA256_SIZE]);
/** Lower-case hex, NUL-terminated; @p out has 2 * size + 1 bytes. */
void stoq_hex(const uint8_t *data, size_t size, char *out);
/** Read exactly 2 * size hex digits. @return 0 or -EINVAL. */
int stoq_unhex(const char *text, uint8_t *out, size_t size);

/** A digest fed in pieces. */
struct stoq_sha256_ctx;
int stoq_sha256_new(struct stoq_sha256_ctx **out);
void stoq_sha256_add(struct stoq_sha256_ctx *ctx, const void *data, size_t size);
/** Mix in a string with its length, so that ("a","bc") and ("ab","c") differ. */
void stoq_sha256_add_text(struct stoq_sha256_ctx *ctx, const char *text);
/** Digest so far; @p ctx can be fed on. */
void stoq_sha256_get(const struct stoq_sha256_ctx *ctx, uint8_t out[STOQ_SHA256_SIZE]);
void stoq_sha256_free(struct stoq_sha256_ctx *ctx);

#endif
