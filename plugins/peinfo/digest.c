/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests and entropy of parts of a file. Parts may overlap, so that a small file could
 * ask for any amount of work: what a kind of part may cost in all is a budget of a few
 * times the file.
 */

#include "parts.h"

#include <errno.h>
#include <math.h>

#define BUDGET_TIMES 4U
#define BUDGET_LEAST ((uint64_t)1 << 20)

void
refill(struct look *l)
{
    l->budget = BUDGET_LEAST + BUDGET_TIMES * (uint64_t)l->pe.file.size;
}

void
hex(const unsigned char *data, size_t size, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        *out++ = digits[data[i] >> 4];
        *out++ = digits[data[i] & 15];
    }
    *out = '\0';
}

static int
add_digest(json_t *object, const char *key, const EVP_MD *md, struct bytes bytes)
{
    unsigned char out[EVP_MAX_MD_SIZE];
    char text[HEX_MAX];
    unsigned size = 0;
    if (!EVP_Digest(bytes.size ? bytes.data : (const unsigned char *)"", bytes.size,
                    out, &size, md, NULL))
        return -EIO;
    hex(out, size, text);
    return json_object_set_new(object, key, json_string(text)) < 0 ? -ENOMEM : 0;
}

int
add_digests(struct look *l, json_t *object, struct bytes bytes, const char *order)
{
    bool known = bytes.size <= l->budget;
    l->budget -= known ? bytes.size : 0;
    for (; *order; order++) {
        const char *key = *order == 'm' ? "md5" : *order == 's' ? "sha1" : "sha256";
        const EVP_MD *md = *order == 'm'   ? l->plugin->md5
                           : *order == 's' ? l->plugin->sha1
                                           : l->plugin->sha256;
        int r = known ? add_digest(object, key, md, bytes)
                : json_object_set_new(object, key, json_null()) < 0 ? -ENOMEM
                                                                    : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

/* In the order in which byte values first occur: floating point sums depend on it, and
 * the original's last digit comes from that order. */
double
entropy_of(struct bytes b)
{
    uint64_t counts[256] = {0};
    double entropy = 0.0;
    for (size_t i = 0; i < b.size; i++)
        counts[b.data[i]]++;
    size_t left = 0;
    for (size_t i = 0; i < 256; i++)
        left += counts[i] != 0;
    for (size_t i = 0; left > 0; i++) {
        uint64_t *count = &counts[b.data[i]];
        if (*count == 0)
            continue;
        double p = (double)*count / (double)b.size;
        entropy -= p * (log(p) / log(2.0));
        *count = 0;
        left--;
    }
    return entropy > 0.0 ? entropy : 0.0;
}
