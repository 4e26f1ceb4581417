/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hash: SHA-256, MD5 and SHA-1 of a payload. The SHA-256 is the one the library has
 * computed for its own use; the other two are fed in one pass over the bytes.
 */

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include <stoq/plugin.h>

/* Bytes fed to each digest in turn, so that the second one finds them in the cache. */
#define STEP ((size_t)64 * 1024)

struct hash {
    EVP_MD *md5;
    EVP_MD *sha1;
};

static void
hash_close(void *instance)
{
    struct hash *h = instance;
    EVP_MD_free(h->md5);
    EVP_MD_free(h->sha1);
    free(h);
}

static int
hash_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    (void)ctx;
    struct hash *h = calloc(1, sizeof(*h));
    if (!h)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    /* fetched once: a fetch per scan costs more than hashing a small file */
    h->md5 = EVP_MD_fetch(NULL, "MD5", NULL);
    h->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    if (!h->md5 || !h->sha1) {
        hash_close(h);
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, -ENOTSUP,
                              "this OpenSSL offers no MD5 or no SHA-1");
    }
    *instance = h;
    return 0;
}

static json_t *
hex(const unsigned char *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * EVP_MAX_MD_SIZE];
    for (size_t i = 0; i < size; i++) {
        text[2 * i] = digits[data[i] >> 4];
        text[2 * i + 1] = digits[data[i] & 15];
    }
    return json_stringn(text, 2 * size);
}

static json_t *
finish(EVP_MD_CTX *digest)
{
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    return EVP_DigestFinal_ex(digest, out, &size) ? hex(out, size) : NULL;
}

static int
feed(const struct hash *h, const unsigned char *data, size_t size, EVP_MD_CTX *md5,
     EVP_MD_CTX *sha1)
{
    int ok = md5 && sha1 && EVP_DigestInit_ex(md5, h->md5, NULL) &&
             EVP_DigestInit_ex(sha1, h->sha1, NULL);
    for (size_t at = 0; ok && at < size;) {
        size_t n = size - at < STEP ? size - at : STEP;
        ok =
            EVP_DigestUpdate(md5, data + at, n) && EVP_DigestUpdate(sha1, data + at, n);
        at += n;
    }
    return ok;
}

static int
hash_scan(void *instance, struct stoq_payload *payload,
          const struct stoq_request *request, struct stoq_reply *reply, unsigned flags,
          struct stoq_error *err)
{
    (void)request;
    (void)flags;
    size_t size = 0;
    const unsigned char *data = stoq_payload_data(payload, &size);
    EVP_MD_CTX *md5 = EVP_MD_CTX_new();
    EVP_MD_CTX *sha1 = EVP_MD_CTX_new();
    json_t *results = json_object();
    int r = 0;
    if (!feed(instance, data, size, md5, sha1) ||
        json_object_set_new(results, "sha256", hex(stoq_payload_sha256(payload), 32)) ||
        json_object_set_new(results, "md5", finish(md5)) ||
        json_object_set_new(results, "sha1", finish(sha1))) {
        json_decref(results);
        r = stoq_error_set(err, STOQ_ERROR_PLUGIN, -EIO, "computing a digest failed");
    } else {
        stoq_reply_results(reply, results);
    }
    EVP_MD_CTX_free(md5);
    EVP_MD_CTX_free(sha1);
    return r;
}

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "hash",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .open = hash_open,
    .close = hash_close,
    .scan = hash_scan,
};
STOQ_PLUGIN(plugin);
