/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The signatures: a digest of the files they are in, which results depend on, and the
 * engine they are loaded into. freshclam(1) may replace files meanwhile; then it is
 * done again, so that digest and engine belong together.
 */

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "parts.h"

#define TRIES 3

struct database {
    const char *path; /* borrowed */
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_size;
    json_t *files; /* owned: {name: facts}, of those with a version */
    unsigned signatures;
};

static int
no_memory(struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
}

/* ----------------------------------------------------------------------- the files */

/* Signatures, and what else libclamav may read: not its notes about downloads. */
static int
is_database(const struct dirent *e)
{
    const char *dot = strrchr(e->d_name, '.');
    return e->d_name[0] != '.' && dot && strcmp(dot, ".dat") != 0 &&
           strcmp(dot, ".sign") != 0;
}

static int
digest_file(EVP_MD_CTX *md, const char *path)
{
    PLUGIN_AUTOCLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    PLUGIN_AUTOFREE unsigned char *buffer = malloc((size_t)1 << 16);
    struct stat st;
    if (!buffer)
        return -ENOMEM;
    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return 0;
    for (;;) {
        ssize_t n = read(fd, buffer, (size_t)1 << 16);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            return 0;
        if (n > 0 && EVP_DigestUpdate(md, buffer, (size_t)n) != 1)
            return -ENOMEM;
    }
}

/* Databases of ClamAV have a header with a version; others have not. */
static int
note_version(struct database *db, const char *name, const char *path)
{
    const char *dot = strrchr(name, '.');
    if (strcmp(dot, ".cvd") != 0 && strcmp(dot, ".cld") != 0)
        return 0;
    struct cl_cvd *head = cl_cvdhead(path);
    if (!head)
        return 0; /* loading it will tell */
    json_t *facts =
        json_pack("{s:i, s:i, s:o}", "version", (int)head->version, "signatures",
                  (int)head->sigs, "built",
                  stoq_json_text(head->time ? head->time : "",
                                 head->time ? strlen(head->time) : 0, NULL));
    cl_cvdfree(head);
    return json_object_set_new(db->files, name, facts) < 0 ? -ENOMEM : 0;
}

static int
look_at_files(struct database *db, EVP_MD_CTX *md, struct stoq_error *err)
{
    struct dirent **names = NULL;
    int n = scandir(db->path, &names, is_database, alphasort), r = 0;
    if (n < 0)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -errno, "database %s: %s",
                              db->path, strerrordesc_np(errno));
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX];
        int size = snprintf(path, sizeof path, "%s/%s", db->path, names[i]->d_name);
        if (r == 0 && size > 0 && (size_t)size < sizeof path) {
            r = EVP_DigestUpdate(md, names[i]->d_name, strlen(names[i]->d_name) + 1) ==
                        1
                    ? digest_file(md, path)
                    : -ENOMEM;
            if (r == 0)
                r = note_version(db, names[i]->d_name, path);
            if (r < 0)
                r = stoq_error_set(err, STOQ_ERROR_CONFIG, r, "database %s: %s", path,
                                   strerrordesc_np(-r));
        }
        free(names[i]);
    }
    free(names);
    if (r == 0 && n == 0)
        r = stoq_error_set(
            err, STOQ_ERROR_CONFIG, -ENOENT,
            "database %s: there are no signatures; freshclam(1) gets them", db->path);
    return r;
}

/* Fill the digest and what the headers say. */
static int
examine(struct database *db, struct stoq_error *err)
{
    json_decref(db->files);
    db->files = json_object();
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int r = !db->files || !md || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1
                ? no_memory(err)
                : look_at_files(db, md, err);
    if (r == 0 && EVP_DigestFinal_ex(md, db->digest, &db->digest_size) != 1)
        r = no_memory(err);
    EVP_MD_CTX_free(md);
    return r;
}

/* ---------------------------------------------------------------------- the engine */

static const struct {
    const char *option;
    enum cl_engine_field field;
} numbers[] = {
    {"max_scansize", CL_ENGINE_MAX_SCANSIZE},
    {"max_filesize", CL_ENGINE_MAX_FILESIZE},
    {"max_files", CL_ENGINE_MAX_FILES},
    {"max_recursion", CL_ENGINE_MAX_RECURSION},
    {"max_scantime", CL_ENGINE_MAX_SCANTIME},
};

static cl_error_t
configure(const struct stoq_ctx *ctx, struct cl_engine *engine, const char *tmp)
{
    cl_error_t e = cl_engine_set_str(engine, CL_ENGINE_TMPDIR, tmp);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && e == CL_SUCCESS; i++)
        e = cl_engine_set_num(engine, numbers[i].field,
                              stoq_ctx_int(ctx, numbers[i].option));
    /* the engine of stoq knows what was scanned already */
    if (e == CL_SUCCESS)
        e = cl_engine_set_num(engine, CL_ENGINE_DISABLE_CACHE, 1);
    if (e == CL_SUCCESS)
        e = cl_engine_set_num(engine, CL_ENGINE_DISABLE_PE_STATS, 1);
    if (e == CL_SUCCESS)
        e = cl_engine_set_num(engine, CL_ENGINE_FORCETODISK, 0);
    return e;
}

static unsigned
load_flags(const struct stoq_ctx *ctx)
{
    unsigned flags = CL_DB_PHISHING | CL_DB_PHISHING_URLS;
    if (stoq_ctx_bool(ctx, "pua"))
        flags |= CL_DB_PUA;
    if (stoq_ctx_bool(ctx, "bytecode"))
        flags |= CL_DB_BYTECODE;
    return flags;
}

static int
load(const struct stoq_ctx *ctx, const char *tmp, struct database *db,
     struct cl_engine *engine, struct stoq_error *err)
{
    db->signatures = 0;
    cl_error_t e = configure(ctx, engine, tmp);
    if (e == CL_SUCCESS)
        e = cl_load(db->path, engine, &db->signatures, load_flags(ctx));
    if (e == CL_EOPEN || (e == CL_SUCCESS && db->signatures == 0))
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -ENOENT,
                              "database %s: there are no signatures; freshclam(1) gets "
                              "them",
                              db->path);
    if (e == CL_SUCCESS)
        e = cl_engine_compile(engine);
    if (e != CL_SUCCESS)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, e == CL_EMEM ? -ENOMEM : -EINVAL,
                              "database %s: %s", db->path, cl_strerror(e));
    return 0;
}

/* Load until no file has changed meanwhile. */
static int
load_stable(const struct stoq_ctx *ctx, const char *tmp, struct database *db,
            struct cl_engine **out, struct stoq_error *err)
{
    for (int i = 0; i < TRIES; i++) {
        struct cl_stat before = {0};
        if (cl_statinidir(db->path, &before) != CL_SUCCESS)
            return stoq_error_set(err, STOQ_ERROR_CONFIG, -EIO,
                                  "database %s cannot be read", db->path);
        struct cl_engine *engine = cl_engine_new();
        int r = engine ? examine(db, err) : no_memory(err);
        if (r == 0)
            r = load(ctx, tmp, db, engine, err);
        bool changed = cl_statchkdir(&before) != 0;
        (void)cl_statfree(&before);
        if (r == 0 && !changed) {
            *out = engine;
            return 0;
        }
        if (engine)
            (void)cl_engine_free(engine);
        if (!changed)
            return r;
        stoq_error_clear(err);
    }
    return stoq_error_set(err, STOQ_ERROR_CONFIG, -EBUSY,
                          "database %s changes while it is loaded", db->path);
}

static void
publish(struct stoq_ctx *ctx, const struct database *db)
{
    const char *version = cl_retver();
    stoq_ctx_identity(ctx, version, strlen(version) + 1);
    stoq_ctx_identity(ctx, db->digest, db->digest_size);
    json_t *facts =
        json_pack("{s:s, s:s, s:I, s:O}", "engine", version, "path", db->path,
                  "signatures", (json_int_t)db->signatures, "files", db->files);
    if (facts)
        stoq_ctx_fact(ctx, "database", facts);
}

int
clamav_engine_new(struct stoq_ctx *ctx, const char *tmp, struct cl_engine **out,
                  struct stoq_error *err)
{
    const char *path = stoq_ctx_string(ctx, "database");
    struct database db = {.path = path && path[0] ? path : "/var/lib/clamav"};
    struct stat st;
    if (stat(db.path, &st) < 0)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -errno,
                              "database %s: %s; freshclam(1) gets one", db.path,
                              strerrordesc_np(errno));
    if (!S_ISDIR(st.st_mode))
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -ENOTDIR,
                              "database %s is not a directory", db.path);
    int r = load_stable(ctx, tmp, &db, out, err);
    if (r == 0)
        publish(ctx, &db);
    json_decref(db.files);
    return r;
}
