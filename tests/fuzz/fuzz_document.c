/* SPDX-License-Identifier: Apache-2.0 */

/* A result document as a scanner that was taken over may send it: checked by the pool,
 * then restored and split by the courier and the command. */

#include <stdlib.h>

#include <stoq/stoq.h>

#include "core/engine.h"
#include "pool/document.h"
#include "target.h"
#include "util/json.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct stoq_document_facts facts;
    struct stoq_error err = {0};
    struct stoq_response *response = NULL;
    struct stoq_request *request = NULL;
    const char *text = (const char *)data;

    /* What passes the cheap check, the costly one must accept. */
    if (stoq_document_check(text, size, &facts) == 0) {
        json_t *doc = stoq_json_parse(text, size, &err);

        if (!doc)
            abort();
        json_decref(doc);
    }
    if (stoq_response_parse(text, size, &response, NULL) == 0) {
        json_t *parts = stoq_response_split(response);

        json_decref(parts);
        (void)stoq_request_restore(response, &request, NULL);
        free(stoq_response_text(response, true));
    }
    stoq_response_free(response);
    stoq_request_free(request);
    return 0;
}
