/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What iocextract loads when it is opened: the top-level domains, one a line, and the
 * whitelist, lines of KIND:PATTERN as the original reads them. Both become part of the
 * engine's identity. Limits: a file has at most 16 MiB, a line's pattern 4096 bytes.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/auto.h"
#include "parts.h"

#define FILE_MAX    ((size_t)16 << 20)
#define PATTERN_MAX 4096

static int
no_memory(struct stoq_error *err)
{
    return stoq_error_set(err, STOQ_ERROR_SYSTEM, -ENOMEM, "out of memory");
}

/* The file's text with a NUL after it; *out is taken by the caller. */
static int
read_all(FILE *f, char **out, size_t *size)
{
    PLUGIN_AUTOFREE char *text = NULL;
    size_t n = 0, room = 0;

    do {
        if (room - n < 2) {
            room = room ? room * 2 : (size_t)64 * 1024;
            char *more = room > 2 * FILE_MAX ? NULL : realloc(text, room);
            if (!more)
                return room > 2 * FILE_MAX ? -EFBIG : -ENOMEM;
            text = more;
        }
        n += fread(text + n, 1, room - n - 1, f);
    } while (!feof(f) && !ferror(f));
    if (ferror(f))
        return -EIO;
    text[n] = '\0';
    *size = n;
    *out = PLUGIN_STEAL(&text);
    return 0;
}

static int
load(struct stoq_ctx *ctx, const char *path, char **out, struct stoq_error *err)
{
    FILE *f = fopen(path, "re");
    size_t size = 0;

    if (!f)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, -errno, "cannot open %s: %s",
                              path, strerror(errno));
    int r = read_all(f, out, &size);
    (void)fclose(f);
    if (r < 0)
        return stoq_error_set(err, STOQ_ERROR_CONFIG, r, "cannot read %s: %s", path,
                              strerror(-r));
    stoq_ctx_identity(ctx, path, strlen(path) + 1);
    stoq_ctx_identity(ctx, *out, size);
    return 0;
}

/* The next line without blanks at its ends, or NULL; *rest moves on. */
static char *
next_line(char **rest)
{
    static const char blanks[] = " \t\r\v\f";
    char *line = strsep(rest, "\n");

    if (!line)
        return NULL;
    line += strspn(line, blanks);
    for (size_t n = strlen(line); n > 0 && strchr(blanks, line[n - 1]); n--)
        line[n - 1] = '\0';
    return line;
}

/* As the original does, the first line is left out; so are comments. */
static int
load_tlds(struct known *k, struct stoq_ctx *ctx, struct stoq_error *err)
{
    PLUGIN_AUTOFREE char *text = NULL;
    const char *path = stoq_ctx_string(ctx, "iana_tld_file");
    int r = path && *path ? load(ctx, path, &text, err)
                          : stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                                           "iana_tld_file is not set");

    if (r < 0)
        return r;
    char *rest = text, *line = next_line(&rest);
    while ((line = next_line(&rest))) {
        size_t size = strlen(line);

        if (size == 0 || *line == '#')
            continue;
        for (char *c = line; *c; c++)
            if (*c >= 'A' && *c <= 'Z')
                *c = (char)(*c - 'A' + 'a');
        if (set_add(&k->tlds, line, size) < 0)
            return no_memory(err);
        k->longest_tld = size > k->longest_tld ? size : k->longest_tld;
    }
    return k->tlds.count ? 0
                         : stoq_error_set(err, STOQ_ERROR_CONFIG, -EINVAL,
                                          "%s has no top-level domain", path);
}

/* "10.0.0.0/8", "10.0.0.0/255.0.0.0", "A::" or "A::/16". @return whether it is one. */
static bool
parse_net(char *pattern, struct net *out)
{
    char *slash = strchr(pattern, '/');
    unsigned char mask[4];
    unsigned bits, used = 0;

    if (slash)
        *slash++ = '\0';
    out->family = strchr(pattern, ':') ? AF_INET6 : AF_INET;
    bits = out->family == AF_INET ? 32 : 128;
    if (inet_pton(out->family, pattern, out->address) != 1)
        return false;
    out->bits = bits;
    if (slash && out->family == AF_INET && inet_pton(AF_INET, slash, mask) == 1) {
        while (used < 32 && (mask[used / 8] >> (7 - used % 8) & 1))
            used++;
        out->bits = used;
        while (used < 32 && !(mask[used / 8] >> (7 - used % 8) & 1))
            used++;
        if (used != 32)
            return false;
    } else if (slash) {
        char *end = slash;
        unsigned long value = strtoul(slash, &end, 10);

        if (*slash < '0' || *slash > '9' || *end || value > bits)
            return false;
        out->bits = (unsigned)value;
    }
    for (used = out->bits; used < bits; used++)
        if (out->address[used / 8] >> (7 - used % 8) & 1)
            return false; /* bits of a host are set */
    return true;
}

static int
add_net(struct known *k, enum ioc type, char *pattern, bool *fits)
{
    struct net net = {.type = type};

    *fits = parse_net(pattern, &net);
    if (!*fits)
        return 0;
    struct net *nets = realloc(k->nets, (k->net_count + 1) * sizeof *nets);
    if (!nets)
        return -ENOMEM;
    k->nets = nets;
    k->nets[k->net_count++] = net;
    return 0;
}

/* One line of the whitelist. @return -EINVAL when it is not understood, -ENOMEM. */
static int
add_line(struct known *k, char *line)
{
    char *pattern = strchr(line, ':');
    size_t type = 0;

    if (!pattern)
        return -EINVAL;
    *pattern++ = '\0';
    while (type < IOC_COUNT && strcmp(ioc_names[type], line) != 0)
        type++;
    pattern += strspn(pattern, " \t");
    size_t size = strlen(pattern);
    if (type == IOC_COUNT || size == 0 || size > PATTERN_MAX)
        return -EINVAL;
    if (type == IOC_IPV4 || type == IOC_IPV6) {
        bool fits = false;
        int r = add_net(k, (enum ioc)type, pattern, &fits);

        return r < 0 ? r : fits ? 0 : -EINVAL;
    }
    struct list *list = &k->white[type];
    list->longest = size > list->longest ? size : list->longest;
    return set_add(&list->names, pattern, size) < 0 ? -ENOMEM : 0;
}

static int
load_whitelist(struct known *k, struct stoq_ctx *ctx, const char *path,
               struct stoq_error *err)
{
    PLUGIN_AUTOFREE char *text = NULL;
    struct stoq_error why = {0};
    unsigned number = 0;

    if (load(ctx, path, &text, &why) < 0) {
        stoq_ctx_log(ctx, STOQ_LEVEL_WARNING, "whitelist left out: %s", why.message);
        return 0;
    }
    for (char *rest = text, *line = NULL; (line = next_line(&rest));) {
        number++;
        int r = *line == '\0' || *line == '#' ? 0 : add_line(k, line);

        if (r == -EINVAL)
            stoq_ctx_log(ctx, STOQ_LEVEL_WARNING, "%s:%u: not understood, left out",
                         path, number);
        else if (r < 0)
            return no_memory(err);
    }
    return 0;
}

int
known_open(struct known *k, struct stoq_ctx *ctx, struct stoq_error *err)
{
    words_init(&k->words);
    int r = load_tlds(k, ctx, err);
    const char *const *files = stoq_ctx_list(ctx, "whitelist_file");
    for (; r == 0 && *files; files++) {
        PLUGIN_AUTOFREE char *path = NULL;
        bool absolute = **files == '/';

        if (asprintf(&path, "%s%s%s", absolute ? "" : stoq_ctx_dir(ctx),
                     absolute ? "" : "/", *files) < 0) {
            path = NULL; /* is undefined then */
            return no_memory(err);
        }
        r = load_whitelist(k, ctx, path, err);
    }
    return r;
}

void
known_close(struct known *k)
{
    set_fini(&k->tlds);
    for (size_t i = 0; i < IOC_COUNT; i++)
        set_fini(&k->white[i].names);
    free(k->nets);
}
