/* SPDX-License-Identifier: Apache-2.0 */

/*
 * SHA-256 over OpenSSL's EVP, and hexadecimal. The algorithm is fetched once per
 * process: a lookup by name for each small file would cost more than the digest.
 */

#include "util/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"

static pthread_once_t md_once = PTHREAD_ONCE_INIT;
static const EVP_MD *md;

static void
fetch_md(void)
{
    md = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!md)
        md = EVP_sha256();
}

static const EVP_MD *
get_md(void)
{
    (void)pthread_once(&md_once, fetch_md);
    return md;
}

int
stoq_sha256(const void *data, size_t size, uint8_t out[STOQ_SHA256_SIZE])
{
    return EVP_Digest(data, size, out, NULL, get_md(), NULL) == 1 ? 0 : -ENOMEM;
}

void
stoq_hex(const uint8_t *data, size_t size, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        *out++ = digits[data[i] >> 4];
        *out++ = digits[data[i] & 15];
    }
    *out = '\0';
}

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int
stoq_unhex(const char *text, uint8_t *out, size_t size)
{
    if (strlen(text) != 2 * size)
        return -EINVAL;
    for (size_t i = 0; i < size; i++) {
        int high = hex_value(text[2 * i]);
        int low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return -EINVAL;
        out[i] = (uint8_t)(high * 16 + low);
    }
    return 0;
}

struct stoq_sha256_ctx {
    EVP_MD_CTX *evp;
    EVP_MD_CTX *scratch; /* copied into by stoq_sha256_get() */
    bool failed;         /* a piece was lost: the digest must match nothing */
};

int
stoq_sha256_new(struct stoq_sha256_ctx **out)
{
    struct stoq_sha256_ctx *ctx = calloc(1, sizeof(*ctx));
    if (!ctx)
        return -ENOMEM;
    ctx->evp = EVP_MD_CTX_new();
    ctx->scratch = EVP_MD_CTX_new();
    if (!ctx->evp || !ctx->scratch ||
        EVP_DigestInit_ex2(ctx->evp, get_md(), NULL) != 1) {
        stoq_sha256_free(ctx);
        return -ENOMEM;
    }
    *out = ctx;
    return 0;
}

void
stoq_sha256_add(struct stoq_sha256_ctx *ctx, const void *data, size_t size)
{
    if (EVP_DigestUpdate(ctx->evp, data, size) != 1)
        ctx->failed = true;
}

static void
add_number(struct stoq_sha256_ctx *ctx, uint64_t n)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(n >> (8 * i));
    stoq_sha256_add(ctx, bytes, sizeof(bytes));
}

void
stoq_sha256_add_text(struct stoq_sha256_ctx *ctx, const char *text)
{
    if (!text) {
        add_number(ctx, UINT64_MAX);
        return;
    }
    size_t size = strlen(text);
    add_number(ctx, size);
    stoq_sha256_add(ctx, text, size);
}

void
stoq_sha256_get(const struct stoq_sha256_ctx *ctx, uint8_t out[STOQ_SHA256_SIZE])
{
    if (!ctx->failed && EVP_MD_CTX_copy_ex(ctx->scratch, ctx->evp) == 1 &&
        EVP_DigestFinal_ex(ctx->scratch, out, NULL) == 1)
        return;
    /* No memory. Digests decide what is reused, so this one must equal no other. */
    char uuid[STOQ_UUID_SIZE];
    stoq_uuid(uuid);
    memcpy(out, uuid, STOQ_SHA256_SIZE);
}

void
stoq_sha256_free(struct stoq_sha256_ctx *ctx)
{
    if (!ctx)
        return;
    EVP_MD_CTX_free(ctx->evp);
    EVP_MD_CTX_free(ctx->scratch);
    free(ctx);
}
