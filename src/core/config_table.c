/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The table of keys. stoq.cfg(5) documents them in this order.
 */

#include "core/config_table.h"

#include <string.h>
#include <strings.h>

#include "util/auto.h"

#define K         ((uint64_t)1024)
#define BYTES_MAX (K * K * K * K * K)
#define YEAR      ((uint64_t)366 * 86400)
#define MANY      ((uint64_t)1000000000)

#define FIELD(name) .offset = offsetof(struct stoq_config, name)
#define CORE(name)  .section = "core", .key = #name, FIELD(name)
#define CORE_LIST(name)                                      \
    {                                                        \
        CORE(name), .type = STOQ_CONFIG_LIST, .fallback = "" \
    }
#define CORE_COUNT(name, preset, most)                                               \
    {                                                                                \
        CORE(name), .type = STOQ_CONFIG_DEFAULT, .fallback = (preset), .max = (most) \
    }
#define LIMIT(name, field)  .section = "limits", .key = (name), FIELD(limits.field)
#define OUTBOX(name, field) .section = "outbox", .key = (name), FIELD(outbox.field)
#define VERDICT(name, index, preset)                                   \
    {                                                                  \
        .section = "policy", .key = (name), FIELD(policy.deny[index]), \
        .type = STOQ_CONFIG_DENY, .fallback = (preset)                 \
    }
#define FS(name) .section = "stoqfs", .key = (name), .text_only = true
#define FS_BOOL(name)                      \
    {                                      \
        FS(name), .type = STOQ_CONFIG_BOOL \
    }

const struct stoq_config_row stoq_config_rows[] = {
    {CORE(base_dir), .type = STOQ_CONFIG_TEXT, .fallback = "."},
    {CORE(log_dir), .type = STOQ_CONFIG_TEXT},
    {CORE(log_level), .type = STOQ_CONFIG_LEVEL, .fallback = "INFO"},
    {CORE(log_maxbytes), .type = STOQ_CONFIG_SIZE, .fallback = "1500000",
     .max = BYTES_MAX},
    {CORE(log_backup_count), .type = STOQ_CONFIG_COUNT, .fallback = "5", .max = 1000},
    {CORE(log_syntax), .type = STOQ_CONFIG_CHOICE, .fallback = "text",
     .choices = "text json"},
    {.section = "core",
     .key = "plugin_dir_list",
     FIELD(plugin_dirs),
     .type = STOQ_CONFIG_LIST,
     .fallback = ""},
    CORE_LIST(providers),
    CORE_LIST(source_archivers),
    CORE_LIST(dest_archivers),
    CORE_LIST(connectors),
    CORE_LIST(dispatchers),
    CORE_LIST(decorators),
    CORE_LIST(always_dispatch),
    CORE_COUNT(provider_consumers, "2", 1024),
    CORE_COUNT(max_queue, "100", 1000000),
    CORE_COUNT(max_recursion, "10", 100000),
    CORE_COUNT(max_required_worker_depth, "10", 1000),
    {CORE(cache_dir), .type = STOQ_CONFIG_TEXT},
    {CORE(sandbox), .type = STOQ_CONFIG_CHOICE, .fallback = "auto",
     .choices = "auto require off"},

    {LIMIT("deadline", deadline_ms), .type = STOQ_CONFIG_SECONDS, .fallback = "30",
     .max = YEAR},
    {LIMIT("cpu", cpu_ms), .type = STOQ_CONFIG_SECONDS, .fallback = "0", .max = YEAR},
    {LIMIT("memory", memory_bytes), .type = STOQ_CONFIG_SIZE, .fallback = "2G",
     .max = BYTES_MAX},
    {LIMIT("bytes", bytes), .type = STOQ_CONFIG_SIZE, .fallback = "16G",
     .max = BYTES_MAX},
    {LIMIT("extracted_bytes", extracted_bytes), .type = STOQ_CONFIG_SIZE,
     .fallback = "512M", .max = BYTES_MAX},
    {LIMIT("children", children), .type = STOQ_CONFIG_COUNT, .fallback = "10000",
     .max = MANY},
    {LIMIT("depth", depth), .type = STOQ_CONFIG_COUNT, .fallback = "32", .min = 1,
     .max = 1000},
    {LIMIT("ratio", ratio), .type = STOQ_CONFIG_COUNT, .fallback = "1000", .max = MANY},
    {LIMIT("response_bytes", response_bytes), .type = STOQ_CONFIG_SIZE,
     .fallback = "32M", .max = BYTES_MAX},

    {.section = "policy",
     .key = "flag",
     FIELD(policy),
     .type = STOQ_CONFIG_FLAGS,
     .fallback = "yara:/matches, clamav:/infected"},
    VERDICT("clean", STOQ_VERDICT_CLEAN, "allow"),
    VERDICT("skipped", STOQ_VERDICT_SKIPPED, "allow"),
    VERDICT("partial", STOQ_VERDICT_PARTIAL, "deny"),
    VERDICT("error", STOQ_VERDICT_ERROR, "deny"),
    VERDICT("timeout", STOQ_VERDICT_TIMEOUT, "deny"),
    VERDICT("flagged", STOQ_VERDICT_FLAGGED, "deny"),

    {OUTBOX("max_bytes", max_bytes), .type = STOQ_CONFIG_SIZE, .fallback = "0",
     .max = BYTES_MAX},
    {OUTBOX("max_age", max_age_ms), .type = STOQ_CONFIG_SECONDS, .fallback = "0",
     .max = 10 * YEAR},
    {OUTBOX("drop", drop), .type = STOQ_CONFIG_CHOICE, .fallback = "oldest",
     .choices = "oldest newest"},
    {OUTBOX("dead_after", dead_after_ms), .type = STOQ_CONFIG_SECONDS, .fallback = "0",
     .max = 10 * YEAR},
    {OUTBOX("dead_attempts", dead_attempts), .type = STOQ_CONFIG_COUNT,
     .fallback = "10", .min = 1, .max = MANY},

    {FS("state_dir"), .type = STOQ_CONFIG_TEXT},
    {FS("sidecars"), .type = STOQ_CONFIG_CHOICE, .choices = "scanned all hidden off"},
    {FS("deadline"), .type = STOQ_CONFIG_SECONDS, .max = 86400},
    {FS("threads"), .type = STOQ_CONFIG_COUNT, .min = 1, .max = 64},
    {FS("scanners"), .type = STOQ_CONFIG_COUNT, .min = 1, .max = 256},
    {FS("readahead"), .type = STOQ_CONFIG_COUNT, .max = 32},
    {FS("coherence"), .type = STOQ_CONFIG_CHOICE, .choices = "cached strict"},
    {FS("passthrough"), .type = STOQ_CONFIG_CHOICE, .choices = "auto off"},
    {FS("reload"), .type = STOQ_CONFIG_CHOICE, .choices = "strict lenient"},
    {FS("rescan"), .type = STOQ_CONFIG_CHOICE, .choices = "on off"},
    FS_BOOL("watch_rules"),
    FS_BOOL("enforce"),
    FS_BOOL("observe"),
    FS_BOOL("ro"),
    FS_BOOL("rw"),
    FS_BOOL("nonempty"),
    FS_BOOL("noallow_other"),
};

const size_t stoq_config_row_count = STOQ_ARRAY_SIZE(stoq_config_rows);

bool
stoq_config_section_known(const char *section)
{
    for (size_t i = 0; i < stoq_config_row_count; i++) {
        if (strcmp(stoq_config_rows[i].section, section) == 0)
            return true;
    }
    return false;
}

int
stoq_config_row_find(const char *section, const char *key)
{
    for (size_t i = 0; i < stoq_config_row_count; i++) {
        if (strcmp(stoq_config_rows[i].section, section) == 0 &&
            strcasecmp(stoq_config_rows[i].key, key) == 0)
            return (int)i;
    }
    return -1;
}
