/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From rule files to one compiled set. A compiler of libyara is of no use after its
 * first error, so when the files do not compile together each is tried on its own, and
 * those that compile make the set. Called by set.c; no lock.
 */

#include <stdio.h>
#include <string.h>

#include "parts.h"

const char *const stoq_yara_external_names[YARA_EXTERNAL_COUNT] = {
    "filename", "filepath", "extension", "filetype", "owner"};

/* One run of a compiler: its surroundings and its first error. */
struct job {
    const struct stoq_ctx *ctx;
    struct stoq_yara_include_state *include;
    YR_COMPILER *compiler;
    bool warn;      /* log warnings of the compiler */
    bool undefined; /* the first error is an identifier nobody defines */
    int line;       /* of the first error, 0 = none yet */
    char file[512]; /* where the first error is, may be an included file */
    char message[256];
};

static void
compiler_message(int level, const char *file, int line, const YR_RULE *rule,
                 const char *message, void *arg)
{
    (void)rule;
    struct job *job = arg;
    if (level != YARA_ERROR_LEVEL_ERROR) {
        if (job->warn)
            stoq_ctx_log(job->ctx, STOQ_LEVEL_DEBUG, "%s:%d: %s", file ? file : "?",
                         line, message);
        return;
    }
    if (job->message[0])
        return;
    job->line = line;
    job->undefined = job->compiler->last_error == ERROR_UNDEFINED_IDENTIFIER;
    (void)snprintf(job->file, sizeof job->file, "%s", file ? file : "");
    /* What libyara says of an include it got from us would not help anybody. */
    static const char not_given[] = "callback failed to provide include resource";
    size_t skip = sizeof not_given - 1;
    if (strncmp(message, not_given, skip) == 0)
        (void)snprintf(job->message, sizeof job->message, "can't open include file%s",
                       message + skip);
    else
        (void)snprintf(job->message, sizeof job->message, "%s", message);
}

static void
job_end(struct job *job)
{
    if (job->compiler)
        yr_compiler_destroy(job->compiler);
    job->compiler = NULL;
}

static int
job_begin(struct job *job, bool externals)
{
    job->message[0] = '\0';
    job->undefined = false;
    job->line = 0;
    if (yr_compiler_create(&job->compiler) != ERROR_SUCCESS) {
        job->compiler = NULL;
        return -ENOMEM;
    }
    yr_compiler_set_callback(job->compiler, compiler_message, job);
    for (size_t i = 0; externals && i < YARA_EXTERNAL_COUNT; i++)
        if (yr_compiler_define_string_variable(
                job->compiler, stoq_yara_external_names[i], "") != ERROR_SUCCESS)
            return -ENOMEM;
    return 0;
}

/* Add one file to the job's compiler. @return 0, 1 = it does not compile, -errno. */
static int
job_add(struct job *job, const struct stoq_yara_file *f)
{
    /* Nothing to compile, and not every fmemopen() takes it. */
    if (f->size == 0)
        return 0;
    FILE *in = fmemopen(f->text, f->size, "r");
    if (!in)
        return -ENOMEM;
    stoq_yara_include_start(job->include, job->compiler, f->path);
    int errors = yr_compiler_add_file(job->compiler, in, f->name, f->path);
    (void)fclose(in);
    if (errors == 0)
        return 0;
    if (job->compiler->last_error == ERROR_INSUFFICIENT_MEMORY)
        return -ENOMEM;
    if (!job->message[0])
        (void)snprintf(job->message, sizeof job->message, "libyara error %d",
                       job->compiler->last_error);
    return 1;
}

int
stoq_yara_set_failed(struct stoq_yara_set *set, const char *file, int line,
                     const char *message)
{
    if (!set->failed)
        set->failed = json_array();
    json_t *entry = json_object();
    int r = 0;
    if (!set->failed || !entry ||
        stoq_json_set_text(entry, "file", file, strlen(file)) < 0 ||
        json_object_set_new(entry, "line", json_integer(line)) < 0 ||
        stoq_json_set_text(entry, "message", message, strlen(message)) < 0 ||
        json_array_append(set->failed, entry) < 0)
        r = -ENOMEM;
    json_decref(entry);
    return r;
}

/* libyara has no line for an error at the end of a file: it is the last one. */
static int
last_line(const struct stoq_yara_file *f)
{
    int line = 1;
    for (size_t i = 0; i + 1 < f->size; i++)
        line += f->text[i] == '\n';
    return line;
}

static int
mark_failed(struct job *job, struct stoq_yara_file *f, struct stoq_yara_set *set)
{
    f->failed = true;
    if (job->line == 0 && strcmp(job->file, f->path) == 0)
        job->line = last_line(f);
    return stoq_yara_set_failed(set, job->file[0] ? job->file : f->path, job->line,
                                job->message);
}

/* Compile all files that take part. @return 0; 1 = @p bad does not compile; -errno. */
static int
compile_together(struct job *job, struct stoq_yara_sources *s,
                 struct stoq_yara_set *set, size_t *bad)
{
    bool externals = false;
    for (size_t i = 0; i < s->count; i++)
        externals = externals || (!s->files[i].failed && s->files[i].externals);
    int r = job_begin(job, externals);
    for (size_t i = 0; r == 0 && i < s->count; i++) {
        if (s->files[i].failed)
            continue;
        *bad = i;
        r = job_add(job, &s->files[i]);
    }
    if (r == 0 && yr_compiler_get_rules(job->compiler, &set->rules) != ERROR_SUCCESS) {
        set->rules = NULL;
        r = -ENOMEM;
    }
    set->externals = externals;
    job_end(job);
    return r;
}

/* Try one file in a compiler of its own: without external variables first, so that a
 * set that looks at bytes alone is known as such. */
static int
try_alone(struct job *job, struct stoq_yara_file *f, struct stoq_yara_set *set)
{
    int r = job_begin(job, false);
    if (r == 0)
        r = job_add(job, f);
    job_end(job);
    if (r == 1 && job->undefined) {
        f->externals = true;
        r = job_begin(job, true);
        if (r == 0)
            r = job_add(job, f);
        job_end(job);
    }
    if (r == 1)
        r = mark_failed(job, f, set);
    return r;
}

static int
compile_all(struct job *job, struct stoq_yara_sources *s, struct stoq_yara_set *set)
{
    size_t bad = 0;
    int r = 0;
    for (size_t i = 0; r == 0 && i < s->count; i++) {
        if (s->files[i].text)
            continue;
        s->files[i].failed = true;
        r = stoq_yara_set_failed(set, s->files[i].path, 0, "cannot be read");
    }
    if (r == 0)
        r = compile_together(job, s, set, &bad);
    if (r != 1)
        return r;
    r = 0;
    for (size_t i = 0; r == 0 && i < s->count; i++)
        if (!s->files[i].failed)
            r = try_alone(job, &s->files[i], set);
    if (r < 0)
        return r;
    /* A file that compiles alone may still clash with others, by the name of an
     * external variable; it then gives way. */
    job->warn = false;
    while ((r = compile_together(job, s, set, &bad)) == 1) {
        r = mark_failed(job, &s->files[bad], set);
        if (r < 0)
            return r;
    }
    return r;
}

int
stoq_yara_compile(const struct stoq_ctx *ctx, struct stoq_yara_sources *sources,
                  struct stoq_yara_includes *includes, struct stoq_yara_set *set,
                  struct stoq_error *err)
{
    struct job *job = calloc(1, sizeof *job);
    int r = job ? stoq_yara_include_new(includes, &job->include) : -ENOMEM;
    if (r == 0) {
        job->ctx = ctx;
        job->warn = true;
        r = compile_all(job, sources, set);
        stoq_yara_include_free(job->include);
    }
    free(job);
    if (r < 0)
        return stoq_error_set(err, STOQ_ERROR_SYSTEM, r, "compiling rules: %s",
                              strerrordesc_np(-r));
    YR_RULE *rule;
    yr_rules_foreach(set->rules, rule) set->loaded++;
    return 0;
}
