/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A fuzz target without libFuzzer: runs it over the files given (directories: what is
 * directly in them), each also cut off at many lengths. A crash, a sanitizer's report
 * or a hang (the caller's time limit) is the failure; so is having nothing to run.
 */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "target.h"

/* Beyond: this many lengths, spread evenly. */
#define CUTS 256

static size_t files;

/* Each input in memory of exactly its size, so that ASan sees a read behind it. */
static void
run_one(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy)
        exit(EXIT_FAILURE);
    memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void
run_cut(const uint8_t *data, size_t size)
{
    size_t step = size > CUTS ? size / CUTS : 1;

    for (size_t n = 0; n < size; n += step)
        run_one(data, n);
    run_one(data, size);
}

static void
run_file(const char *path)
{
    FILE *f = fopen(path, "re");
    struct stat st;
    uint8_t *data;

    if (!f || fstat(fileno(f), &st) < 0 || !(data = malloc((size_t)st.st_size + 1)) ||
        fread(data, 1, (size_t)st.st_size, f) != (size_t)st.st_size) {
        (void)fprintf(stderr, "%s: cannot be read: %s\n", path, strerror(errno));
        exit(EXIT_FAILURE);
    }
    (void)fclose(f);
    run_cut(data, (size_t)st.st_size);
    free(data);
    files++;
}

static void
run_path(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    char name[4096];

    if (!dir) {
        run_file(path);
        return;
    }
    while ((entry = readdir(dir))) {
        struct stat st;

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (stat(name, &st) == 0 && S_ISREG(st.st_mode))
            run_file(name);
    }
    (void)closedir(dir);
}

int
main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        run_path(argv[i]);
    if (files == 0) {
        (void)fprintf(stderr, "%s: no inputs\n", argv[0]);
        return EXIT_FAILURE;
    }
    (void)printf("%zu files\n", files);
    return EXIT_SUCCESS;
}
