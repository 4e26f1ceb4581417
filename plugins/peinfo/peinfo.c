/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peinfo: describes a portable executable and extracts its certificates and resources.
 * This file makes the instance. Results tell times in local time, so the time zone
 * takes part in what results are reused for; it is loaded here, where files can be
 * read.
 */

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "parts.h"

#define WEEK (7 * 86400LL)

/* How far local time is from UTC, every week from 1970 to 2106: two zones that agree on
 * all of it are taken to be one. */
static void
note_zone(struct stoq_ctx *ctx)
{
    tzset();
    for (long long t = 0; t < (1LL << 32); t += WEEK) {
        time_t at = (time_t)t;
        struct tm tm;
        long offset = localtime_r(&at, &tm) ? tm.tm_gmtoff : 0;
        stoq_ctx_identity(ctx, &offset, sizeof(offset));
    }
}

static void
peinfo_close(void *instance)
{
    struct peinfo *p = instance;
    EVP_MD_free(p->md5);
    EVP_MD_free(p->sha1);
    EVP_MD_free(p->sha256);
    free(p);
}

static int
peinfo_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    struct peinfo *p = calloc(1, sizeof(*p));
    if (!p)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    p->md5 = EVP_MD_fetch(NULL, "MD5", NULL);
    p->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    p->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!p->md5 || !p->sha1 || !p->sha256) {
        peinfo_close(p);
        return stoq_error_set(err, STOQ_ERROR_PLUGIN, -ENOTSUP,
                              "this OpenSSL offers no MD5, SHA-1 or SHA-256");
    }
    note_zone(ctx);
    *instance = p;
    return 0;
}

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,    .name = "peinfo",      .traits = STOQ_TRAIT_CONTENT_ONLY,
    .open = peinfo_open, .close = peinfo_close, .scan = peinfo_scan,
};
STOQ_PLUGIN(plugin);
