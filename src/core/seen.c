/* SPDX-License-Identifier: Apache-2.0 */

/* Deduplication table; see seen.h. The digest is its own hash: any 8 bytes of it are
 * as good as any function of it, for content nobody chose to collide. */

#include "core/seen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t
home(const uint8_t sha256[STOQ_SHA256_SIZE], size_t room)
{
    uint64_t h;
    memcpy(&h, sha256, sizeof(h));
    return (size_t)(h & (room - 1));
}

/* The slot that holds the digest, or the free one where it belongs. */
static size_t *
locate(const struct stoq_seen *seen, const struct stoq_request *request,
       const uint8_t sha256[STOQ_SHA256_SIZE])
{
    size_t at = home(sha256, seen->room);
    while (seen->slots[at] != 0 &&
           memcmp(request->payloads[seen->slots[at] - 1]->sha256, sha256,
                  STOQ_SHA256_SIZE) != 0)
        at = (at + 1) & (seen->room - 1);
    return &seen->slots[at];
}

size_t
stoq_seen_find(const struct stoq_seen *seen, const struct stoq_request *request,
               const uint8_t sha256[STOQ_SHA256_SIZE])
{
    return seen->room ? *locate(seen, request, sha256) : 0;
}

static int
grow(struct stoq_seen *seen, const struct stoq_request *request)
{
    struct stoq_seen bigger = {.room = seen->room ? 4 * seen->room : 16,
                               .used = seen->used};
    bigger.slots = calloc(bigger.room, sizeof(*bigger.slots));
    if (!bigger.slots)
        return -ENOMEM;
    for (size_t i = 0; i < seen->room; i++) {
        if (seen->slots[i] == 0)
            continue;
        const struct stoq_payload *p = request->payloads[seen->slots[i] - 1];
        *locate(&bigger, request, p->sha256) = seen->slots[i];
    }
    free(seen->slots);
    *seen = bigger;
    return 0;
}

int
stoq_seen_add(struct stoq_seen *seen, const struct stoq_request *request, size_t index)
{
    if (2 * (seen->used + 1) > seen->room && grow(seen, request) < 0)
        return -ENOMEM;
    size_t *slot = locate(seen, request, request->payloads[index]->sha256);
    if (*slot == 0) {
        *slot = index + 1;
        seen->used++;
        return 0;
    }
    struct stoq_payload *p = request->payloads[*slot - 1];
    while (p->next_same != 0)
        p = request->payloads[p->next_same - 1];
    p->next_same = index + 1;
    return 0;
}

void
stoq_seen_fini(struct stoq_seen *seen)
{
    free(seen->slots);
    *seen = (struct stoq_seen){0};
}
