/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Payloads: bytes, names, and their entry of the document's results. What is serialised
 * lives in the JSON entry alone; the struct keeps borrowed pointers into it.
 * Callers: the public interface, requests, rounds. No lock.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <stoq/plugin.h>
#include <stoq/stoq.h>

#include "core/core.h"
#include "core/document.h"
#include "core/engine.h"
#include "util/auto.h"

STOQ_DEFINE_AUTO(stoq_payload)

static int
no_memory(struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
}

/* Borrow the members of the entry. @return whether all are there. */
static bool
bind_entry(struct stoq_payload *p)
{
    const char *id = json_string_value(json_object_get(p->entry, "payload_id"));
    json_t *run = json_object_get(p->entry, "plugins_run");
    p->meta = json_object_get(p->entry, "payload_meta");
    p->extra = json_object_get(p->meta, "extra_data");
    p->ran = json_object_get(run, "workers");
    p->archived = json_object_get(run, "archivers");
    p->from = json_object_get(p->entry, "extracted_from");
    p->by = json_object_get(p->entry, "extracted_by");
    p->workers = json_object_get(p->entry, "workers");
    p->archivers = json_object_get(p->entry, "archivers");
    p->ms = json_object_get(p->entry, "duration_ms");
    if (!id || strlen(id) >= sizeof(p->id))
        return false;
    memcpy(p->id, id, strlen(id) + 1);
    p->scan = json_is_true(json_object_get(p->meta, "should_scan"));
    return json_is_object(p->extra) && json_is_array(p->ran) &&
           json_is_array(p->archived) && json_is_array(p->from) &&
           json_is_array(p->by) && json_is_object(p->workers) &&
           json_is_object(p->archivers) && json_is_object(p->ms);
}

int
stoq_payload_make(struct stoq_content *content, json_t *entry,
                  struct stoq_payload **out, struct stoq_error *err)
{
    STOQ_AUTO(stoq_payload) p = calloc(1, sizeof(*p));
    if (!p || !entry) {
        stoq_content_fini(content);
        json_decref(entry);
        return no_memory(err);
    }
    p->content = *content;
    *content = (struct stoq_content){0};
    p->entry = entry;
    p->dispatch_meta = json_object();
    if (!p->dispatch_meta)
        return no_memory(err);
    if (!bind_entry(p))
        return stoq_error_set(err, STOQ_ERROR_FORMAT, -EINVAL,
                              "an entry of results is not one of stoQ's");
    *out = STOQ_STEAL(&p);
    return 0;
}

static int
copy_text(char **out, const char *text)
{
    if (!text)
        return 0;
    *out = strdup(text);
    return *out ? 0 : -ENOMEM;
}

/* A root payload; content is taken. */
static int
make_root(struct stoq_content *content, const struct stoq_payload_meta *meta,
          struct stoq_payload **out, struct stoq_error *err)
{
    char id[STOQ_UUID_SIZE];
    stoq_uuid(id);
    struct stoq_doc_entry e = {.id = id, .size = content->size};
    e.no_scan = meta && meta->no_scan;
    e.no_archive = meta && meta->no_archive;
    e.extra = stoq_doc_extra(meta);
    STOQ_AUTO(stoq_payload) p = NULL;
    int rc = stoq_payload_make(content, e.extra ? stoq_doc_entry(&e) : NULL, &p, err);
    if (rc < 0)
        return rc;
    if (meta &&
        (copy_text(&p->filename, meta->filename) < 0 ||
         copy_text(&p->path, meta->path) < 0 || copy_text(&p->owner, meta->owner) < 0))
        return no_memory(err);
    *out = STOQ_STEAL(&p);
    return 0;
}

static int
check_meta(const struct stoq_payload_meta *meta, struct stoq_error *err)
{
    if (!meta)
        return 0;
    if (meta->struct_size < sizeof(*meta))
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "payload_meta was not initialised");
    if (meta->extra_data && !json_is_object(meta->extra_data))
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                              "extra_data must be a JSON object");
    return 0;
}

int
stoq_payload_new(const void *data, size_t size, const struct stoq_payload_meta *meta,
                 struct stoq_payload **out, struct stoq_error *err)
{
    int rc = check_meta(meta, err);
    if (rc < 0)
        return rc;
    struct stoq_content content = {0};
    if (stoq_content_copy(&content, data, size) < 0)
        return no_memory(err);
    return make_root(&content, meta, out, err);
}

int
stoq_payload_from_fd(int fd, const struct stoq_payload_meta *meta,
                     struct stoq_payload **out, struct stoq_error *err)
{
    int rc = check_meta(meta, err);
    if (rc < 0)
        return rc;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -errno, "cannot stat: %s",
                              strerror(errno));
    if (!S_ISREG(st.st_mode))
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, -EINVAL, "not a regular file");
    struct stoq_content content = {0};
    rc = stoq_content_load(&content, fd, 0, (uint64_t)st.st_size, err);
    return rc < 0 ? rc : make_root(&content, meta, out, err);
}

int
stoq_payload_child(struct stoq_child *child, const struct stoq_payload *parent,
                   const char *worker, struct stoq_payload **out)
{
    char id[STOQ_UUID_SIZE];
    stoq_uuid(id);
    struct stoq_doc_entry e = {.id = id,
                               .size = child->size,
                               .no_scan = child->no_scan,
                               .no_archive = child->no_archive,
                               .extra = STOQ_STEAL(&child->extra_data),
                               .dispatch_to = &child->dispatch_to};
    struct stoq_content content = {
        .data = child->data, .size = child->size, .buffer = child->data};
    child->data = NULL;
    STOQ_AUTO(stoq_payload) p = NULL;
    int rc = stoq_payload_make(&content, stoq_doc_entry(&e), &p, NULL);
    if (rc < 0)
        return rc;
    p->filename = STOQ_STEAL(&child->filename);
    p->depth = parent->depth + 1;
    if (stoq_strv_copy(&p->due, &child->dispatch_to) < 0 ||
        json_array_append_new(p->by, json_string(worker)) < 0 ||
        json_array_append_new(p->from, json_string_nocheck(parent->id)) < 0)
        return -ENOMEM;
    *out = STOQ_STEAL(&p);
    return 0;
}

void
stoq_payload_free(struct stoq_payload *p)
{
    if (!p)
        return;
    stoq_content_fini(&p->content);
    json_decref(p->entry);
    json_decref(p->dispatch_meta);
    free(p->filename);
    free(p->path);
    free(p->owner);
    stoq_strv_fini(&p->due);
    stoq_strv_fini(&p->dispatched);
    free(p);
}

const unsigned char *
stoq_payload_data(const struct stoq_payload *p, size_t *size)
{
    static const unsigned char nothing[1];
    if (size)
        *size = p->content.data ? p->content.size : 0;
    return p->content.data ? p->content.data : nothing;
}

const char *
stoq_payload_id(const struct stoq_payload *p)
{
    return p->id;
}

const unsigned char *
stoq_payload_sha256(struct stoq_payload *p)
{
    size_t size;
    const unsigned char *data = stoq_payload_data(p, &size);
    if (!p->has_sha256)
        p->has_sha256 = stoq_sha256(data, size, p->sha256) == 0;
    return p->sha256;
}

json_t *
stoq_payload_extra_data(struct stoq_payload *p)
{
    return p->extra;
}

const char *
stoq_payload_filename(const struct stoq_payload *p)
{
    return p->filename;
}

const char *
stoq_payload_path(const struct stoq_payload *p)
{
    return p->path;
}

const char *
stoq_payload_owner(const struct stoq_payload *p)
{
    return p->owner;
}

const json_t *
stoq_payload_workers(const struct stoq_payload *p)
{
    return p->workers;
}

const json_t *
stoq_payload_results(const struct stoq_payload *p)
{
    return p->entry;
}

const json_t *
stoq_payload_dispatch_meta(const struct stoq_payload *p)
{
    return p->dispatch_meta;
}

void
stoq_payload_set_should_archive(struct stoq_payload *p, bool yes)
{
    (void)json_object_set_new_nocheck(p->meta, "should_archive", json_boolean(yes));
}

bool
stoq_payload_has_run(const struct stoq_payload *p, const char *name)
{
    size_t i;
    json_t *ran;
    json_array_foreach (p->ran, i, ran) {
        if (strcmp(json_string_value(ran), name) == 0)
            return true;
    }
    return false;
}
