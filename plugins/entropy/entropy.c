/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entropy: Shannon entropy of a payload's bytes in bits, 0.0 to 8.0.
 */

#include <errno.h>
#include <math.h>
#include <stdint.h>

#include <stoq/plugin.h>

#define LANES 4

/* Occurrences of each byte. Four tables side by side, because runs of one byte would
 * wait for their own counter. */
static void
count_bytes(const unsigned char *data, size_t size, uint64_t total[256])
{
    uint64_t lanes[LANES][256] = {{0}};
    size_t i = 0;
    for (; i + LANES <= size; i += LANES) {
        for (size_t lane = 0; lane < LANES; lane++)
            lanes[lane][data[i + lane]]++;
    }
    for (; i < size; i++)
        lanes[0][data[i]]++;
    for (size_t b = 0; b < 256; b++) {
        total[b] = 0;
        for (size_t lane = 0; lane < LANES; lane++)
            total[b] += lanes[lane][b];
    }
}

/* Adding in the order in which the byte values first occur gives the last digit that
 * the recorded results have: floating point sums depend on their order. */
static double
entropy_of(const unsigned char *data, size_t size)
{
    uint64_t counts[256];
    size_t left = 0;
    double entropy = 0.0;
    count_bytes(data, size, counts);
    for (size_t b = 0; b < 256; b++)
        left += counts[b] != 0;
    for (size_t i = 0; left > 0; i++) {
        if (counts[data[i]] == 0)
            continue;
        double p = (double)counts[data[i]] / (double)size;
        entropy -= p * (log(p) / log(2.0));
        counts[data[i]] = 0;
        left--;
    }
    return entropy > 0.0 ? entropy : 0.0; /* one byte value gives -0.0 */
}

static int
entropy_scan(void *instance, struct stoq_payload *payload,
             const struct stoq_request *request, struct stoq_reply *reply,
             unsigned flags, struct stoq_error *err)
{
    (void)instance;
    (void)request;
    (void)flags;
    size_t size = 0;
    const unsigned char *data = stoq_payload_data(payload, &size);
    json_t *results = json_object();
    if (json_object_set_new(results, "entropy", json_real(entropy_of(data, size))) <
        0) {
        json_decref(results);
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    stoq_reply_results(reply, results);
    return 0;
}

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "entropy",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .scan = entropy_scan,
};
STOQ_PLUGIN(plugin);
