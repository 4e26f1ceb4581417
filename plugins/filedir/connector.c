/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Connector: one result per file, named by its scan id. A save that is repeated finds
 * the file and is a success; the date directory therefore comes from the result's own
 * time, not from the clock.
 */

#include <stdio.h>
#include <string.h>

#include "filedir.h"

/* The response's time, "2026-11-24T04:06:36.143944+00:00"; now when it has none. */
static time_t
response_time(const struct stoq_response *response)
{
    const char *text =
        json_string_value(json_object_get(stoq_response_document(response), "time"));
    struct tm tm = {0};
    const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    if (!rest)
        return time(NULL);
    tm.tm_isdst = -1;
    while (*rest == '.' || (*rest >= '0' && *rest <= '9'))
        rest++;
    if (!strptime(rest, "%z", &tm))
        return mktime(&tm);
    long offset = tm.tm_gmtoff; /* timegm() clears it */
    return timegm(&tm) - offset;
}

int
stoq_filedir_save(void *instance, const struct stoq_response *response, unsigned flags,
                  struct stoq_error *err)
{
    (void)flags;
    const struct stoq_filedir *fd = instance;
    const char *id = stoq_response_scan_id(response);
    if (!fd->results_dir[0])
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "results_dir is not set");
    if (!id || !id[0] || id[0] == '.' || strchr(id, '/'))
        return stoq_error_set(err, STOQ_ERROR_FORMAT, -EBADMSG,
                              "the scan id is no file name");
    PLUGIN_AUTOFREE char *dir =
        stoq_filedir_dated(fd->results_dir, fd->date_mode ? fd->date_format : NULL,
                           response_time(response));
    PLUGIN_AUTOFREE char *text = stoq_response_text(response, !fd->compactly);
    PLUGIN_AUTOFREE char *line = NULL;
    if (!dir || !text || asprintf(&line, "%s\n", text) < 0) {
        line = NULL;
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
    }
    int r = stoq_filedir_store(dir, id, line, strlen(line));
    /* what file systems say of bad checksums means "never" from a connector */
    if (r < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r == -EBADMSG ? -EIO : r,
                              "%s/%s: %s", dir, id, strerrordesc_np(-r));
    return 0;
}
