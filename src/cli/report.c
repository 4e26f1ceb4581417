/* SPDX-License-Identifier: Apache-2.0 */

/* See report.h. The progress line goes to a terminal only, at most five times a second.
 */

#include "cli/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/config.h"
#include "core/engine.h"
#include "util/auto.h"
#include "util/log.h"

STOQ_DEFINE_AUTO(stoq_response)
STOQ_DEFINE_AUTO(stoq_request)

void
cli_report_init(struct cli_report *r, const struct stoq_config *config, bool print)
{
    *r = (struct cli_report){.config = config, .print = print};
    r->tty = isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO);
}

static void
progress(struct cli_report *r)
{
    uint64_t now = stoq_now_ms();
    if (!r->tty || now - r->shown_ms < 200)
        return;
    r->shown_ms = now;
    (void)fprintf(stderr,
                  "\r%" PRIu64 " files, %" PRIu64 " flagged, %" PRIu64
                  " not fully scanned\033[K",
                  r->files, r->flagged, r->incomplete);
}

static void
count(struct cli_report *r, enum stoq_verdict verdict)
{
    r->files++;
    if (verdict == STOQ_VERDICT_FLAGGED)
        r->flagged++;
    else if (verdict != STOQ_VERDICT_CLEAN)
        r->incomplete++;
    progress(r);
}

void
cli_report_failure(struct cli_report *r, const char *what, int code)
{
    struct stoq_error err = {0};
    (void)stoq_error_set(&err, STOQ_ERROR_SYSTEM, code, "%s: %s", what,
                         strerror(-code));
    cli_report_error(r, &err);
}

void
cli_report_error(struct cli_report *r, const struct stoq_error *err)
{
    r->failed++;
    if (r->shown_ms)
        (void)fputs("\r\033[K", stderr);
    (void)cli_fail(CLI_USAGE, err);
}

int
cli_report_response(struct cli_report *r, struct stoq_response *response)
{
    struct stoq_error err = {0};
    int code = 0;
    if (r->engine && r->config->connectors.count)
        code = stoq_save(r->engine, response, &err);
    if (code < 0) {
        STOQ_ERROR("%s", err.message);
        r->incomplete++;
    }
    if (r->print) {
        STOQ_AUTOFREE char *text = stoq_response_text(response, true);
        if (text)
            (void)puts(text);
        else
            cli_report_failure(r, "result", -ENOMEM);
    }
    count(r, stoq_response_verdict(response));
    return code;
}

/* Give the request the bytes that archivers want. Those of the first root begin
 * the file; other roots and children were handed back. */
static int
give_contents(const struct stoq_outcome *o, struct stoq_request *request, int fd,
              struct stoq_error *err)
{
    int r = 0;
    const struct stoq_payload *root = stoq_request_payload(request, 0);
    if (fd >= 0 && root) {
        const json_t *size = json_object_get(stoq_payload_results(root), "size");
        r = stoq_payload_set_content(request, 0, fd, 0,
                                     (uint64_t)json_integer_value(size), err);
    }
    for (size_t i = 0; r == 0 && i < o->extent_count; i++) {
        const struct stoq_extent *e = &o->extents[i];
        r = stoq_payload_set_content(request, e->index, o->payloads_fd, e->offset,
                                     e->size, err);
    }
    return r;
}

int
cli_report_outcome(struct cli_report *r, const struct stoq_outcome *o, int fd)
{
    struct stoq_error err = {0};
    STOQ_AUTO(stoq_request) request = NULL;
    STOQ_AUTO(stoq_response) response = NULL;
    int code = stoq_response_parse(o->document, o->document_size, &response, &err);
    if (code < 0) {
        cli_report_error(r, &err);
        return code;
    }
    if (r->engine) {
        code = stoq_request_restore(response, &request, &err);
        if (code == 0 && r->config->dest_archivers.count)
            code = give_contents(o, request, fd, &err);
        if (code == 0)
            code = stoq_engine_finish(r->engine, request, response, &err);
        if (code < 0)
            cli_report_error(r, &err);
    }
    int saved = cli_report_response(r, response);
    return code < 0 ? code : saved;
}

int
cli_report_end(struct cli_report *r)
{
    if (r->shown_ms)
        (void)fputs("\r\033[K", stderr);
    if (r->flagged)
        return CLI_FLAGGED;
    if (r->failed)
        return CLI_USAGE;
    return r->incomplete ? CLI_INCOMPLETE : CLI_CLEAN;
}
