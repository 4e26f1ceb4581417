/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STOQ_TEST_TRIGGER_H
#define STOQ_TEST_TRIGGER_H

/* Shared by the pool's test plugins: the word in a payload that sets one off. */

#include <stdbool.h>
#include <string.h>

#include <stoq/plugin.h>

static inline bool
triggered(const struct stoq_payload *payload, const char *word)
{
    size_t size;
    const unsigned char *data = stoq_payload_data(payload, &size);

    return memmem(data, size, word, strlen(word)) != NULL;
}

#endif
