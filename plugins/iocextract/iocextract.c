/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iocextract: indicators of compromise in a payload's text, normalised, without those
 * of a whitelist. The results are {kind: [indicator]} in the order of first appearance;
 * the original has no order. Limits: as many different indicators and as many bytes of
 * them as below, after which the scan is partial.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "parts.h"

/* Different indicators of one payload, and bytes of them. */
#define INDICATORS_MAX 100000U
#define BYTES_MAX      ((size_t)16 << 20)

const char *const ioc_names[IOC_COUNT] = {"md5",    "sha1", "sha256",      "sha512",
                                          "ipv4",   "ipv6", "mac_address", "email",
                                          "domain", "url"};

static const struct stoq_option options[] = {
    {"whitelist_file", STOQ_OPTION_LIST, "data/whitelist.txt", 0, 0,
     "Files with indicators that are left out; relative ones start at the plugin"},
    {"iana_tld_file", STOQ_OPTION_PATH, "data/tlds-alpha-by-domain.txt", 0, 0,
     "File with the top-level domains"},
    {"iana_url", STOQ_OPTION_STRING, "", 0, 0, "Not used: nothing is downloaded"},
    {0},
};

/* What one scan has found. */
struct finds {
    const struct known *known;
    struct set seen[IOC_COUNT]; /* all of them, also the good ones */
    json_t *lists[IOC_COUNT];   /* NULL = none found */
    unsigned char *copy;        /* room to normalise in */
    size_t room;
    uint32_t count;
    size_t bytes;
};

static void
iocextract_close(void *instance)
{
    known_close(instance);
    free(instance);
}

static int
iocextract_open(struct stoq_ctx *ctx, void **instance, struct stoq_error *err)
{
    struct known *k = calloc(1, sizeof *k);
    const char *url = stoq_ctx_string(ctx, "iana_url");

    if (!k)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    int r = known_open(k, ctx, err);
    if (r < 0) {
        iocextract_close(k);
        return r;
    }
    if (url && *url)
        stoq_ctx_log(ctx, STOQ_LEVEL_INFO,
                     "iana_url is not used: nothing is downloaded, see iana_tld_file");
    stoq_ctx_fact(ctx, "top_level_domains", json_integer(k->tlds.count));
    *instance = k;
    return 0;
}

/* Add an indicator that was not seen yet, if the whitelist allows. */
static int
add(struct finds *finds, enum ioc type, const unsigned char *data, size_t size)
{
    if (known_good(finds->known, type, data, size))
        return 0;
    json_t *text = json_stringn((const char *)data, size);
    return text && json_array_append_new(finds->lists[type], text) == 0 ? 0 : -ENOMEM;
}

/* @return -E2BIG when there are too many. */
static int
found(void *user, enum ioc type, const unsigned char *data, size_t size)
{
    struct finds *finds = user;

    if (size > BYTES_MAX)
        return -E2BIG;
    if (size > finds->room) {
        unsigned char *copy = realloc(finds->copy, size * 2);

        if (!copy)
            return -ENOMEM;
        finds->copy = copy;
        finds->room = size * 2;
    }
    memcpy(finds->copy, data, size);
    size = normalise(finds->known, finds->copy, size);
    if (!finds->lists[type] && !(finds->lists[type] = json_array()))
        return -ENOMEM;
    if (set_find(&finds->seen[type], finds->copy, size) >= 0)
        return 0;
    if (finds->count == INDICATORS_MAX || size > BYTES_MAX - finds->bytes)
        return -E2BIG;
    finds->count++;
    finds->bytes += size;
    int r = set_add(&finds->seen[type], finds->copy, size);
    return r < 0 ? r : add(finds, type, finds->copy, size);
}

static json_t *
make_results(struct finds *finds)
{
    json_t *results = json_object();

    for (size_t i = 0; i < IOC_COUNT; i++) {
        json_t *list = finds->lists[i];

        finds->lists[i] = NULL;
        if (list && json_object_set_new(results, ioc_names[i], list) < 0) {
            json_decref(results);
            results = NULL;
        }
    }
    return results;
}

static void
finds_fini(struct finds *finds)
{
    for (size_t i = 0; i < IOC_COUNT; i++) {
        set_fini(&finds->seen[i]);
        json_decref(finds->lists[i]);
    }
    free(finds->copy);
}

static int
look(struct finds *finds, struct bytes payload)
{
    struct text text;
    int r = text_decode(&finds->known->words, payload, &text);

    if (r < 0)
        return r;
    PLUGIN_AUTOFREE unsigned char *owned = text.owned;
    (void)owned;
    struct finder finder = {
        .known = finds->known, .text = &text, .found = found, .user = finds};
    return find_all(&finder);
}

static int
iocextract_scan(void *instance, struct stoq_payload *payload,
                const struct stoq_request *request, struct stoq_reply *reply,
                unsigned flags, struct stoq_error *err)
{
    struct finds finds = {.known = instance};
    struct bytes bytes;

    (void)request;
    (void)flags;
    bytes.data = stoq_payload_data(payload, &bytes.size);
    int r = look(&finds, bytes);
    uint32_t count = finds.count;
    json_t *results = r == 0 || r == -E2BIG ? make_results(&finds) : NULL;
    finds_fini(&finds);
    if (!results)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    if (r == -E2BIG)
        stoq_reply_limit(reply, "indicators", count);
    stoq_reply_results(reply, results);
    return 0;
}

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "iocextract",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .options = options,
    .open = iocextract_open,
    .close = iocextract_close,
    .scan = iocextract_scan,
};
STOQ_PLUGIN(plugin);
