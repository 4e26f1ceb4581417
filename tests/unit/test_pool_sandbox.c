/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox: what is tried and told of it, what "require" demands, and the memory
 * files and the standard error that scanners have. What it holds back is tested by
 * tests/cli/sandbox.sh and tests/mount/sandbox.sh. */
#include "pool/relay.h"
#include "pool/sandbox.h"
#include "pool/sandbox_impl.h"
#include "pool/spare.h"
#include "pool_fixture.h"

static struct stoq_config *config;
static struct stoq_sandbox *sandbox;
static struct stoq_sandbox_report report;

/** A sandbox of mode @p mode, and what came of trying it. */
static void
try_mode(const char *mode)
{
    config = new_config("hash");
    ck_assert_int_eq(stoq_config_set(config, "core", "sandbox", mode, NULL), 0);
    ck_assert_int_eq(stoq_sandbox_new(config, NULL, &sandbox), 0);
    ck_assert_int_eq(stoq_sandbox_try(sandbox, &report), 0);
}

static bool
listed(const char *list, const char *name)
{
    json_t *all = stoq_sandbox_describe(sandbox, &report), *one;
    bool found = false;
    size_t i;

    json_array_foreach (json_object_get(all, list), i, one)
        found |= strcmp(json_string_value(one), name) == 0;
    json_decref(all);
    return found;
}

/** Index of measure @p name: its bit. */
static uint32_t
bit_of(const char *name)
{
    struct stoq_sandbox_report saved = report;
    uint32_t bit = 1;

    for (; bit != 0; bit <<= 1) {
        report = (struct stoq_sandbox_report){.applied = bit};
        if (listed("in_force", name))
            break;
    }
    report = saved;
    ck_assert_uint_ne(bit, 0);
    return bit;
}

START_TEST(trial)
{
    char text[1024];

    try_mode("auto");
    ck_assert(listed("in_force", "no-new-privileges"));
    ck_assert(listed("in_force", "no-capabilities"));
    ck_assert(listed(geteuid() == 0 ? "in_force" : "off", "own-user"));
    ck_assert(listed(STOQ_SANITIZED ? "off" : "in_force", "memory-limit"));
    stoq_sandbox_tell(sandbox, &report, text, sizeof(text));
    ck_assert_msg(strncmp(text, "in force: oom-score, ", 21) == 0, "%s", text);
}
END_TEST

START_TEST(off_leaves_limits)
{
    char text[1024];

    try_mode("off");
    ck_assert(listed("in_force", "open-files-limit"));
    ck_assert(listed("in_force", "no-new-privileges"));
    ck_assert(listed("off", "own-user"));
    ck_assert(listed("off", "landlock"));
    ck_assert(listed("off", "syscall-filter"));
    ck_assert(!stoq_sandbox_closes(sandbox));
    stoq_sandbox_tell(sandbox, &report, text, sizeof(text));
    ck_assert_msg(strstr(text, "no-processes, no-network") != NULL, "%s", text);
}
END_TEST

/** @return whether "require" is met when measure @p name is refused. */
static bool
met_without(const char *name, const char *filter)
{
    char text[256] = "";
    uint32_t bit = bit_of(name);
    bool unmet;

    report = (struct stoq_sandbox_report){.applied = ~bit & 0x7fffU, .failed = bit};
    if (!filter)
        report.applied &= ~bit_of("syscall-filter");
    report.why[__builtin_ctz(bit)] = ENOSYS;
    unmet = stoq_sandbox_unmet(sandbox, &report, text, sizeof(text));
    ck_assert(unmet == (strncmp(text, "sandbox=require: ", 17) == 0));
    ck_assert(!unmet || strstr(text, name) != NULL);
    return !unmet;
}

START_TEST(require_demands)
{
    char text[256];

    try_mode("require");
    report = (struct stoq_sandbox_report){.applied = 0x7fffU};
    ck_assert(!stoq_sandbox_unmet(sandbox, &report, text, sizeof(text)));
    ck_assert(!met_without("landlock", "there"));
    ck_assert(!met_without("own-user", "there"));
    ck_assert(!met_without("syscall-filter", "there"));
    ck_assert(!met_without("no-new-privileges", "there"));
    /* the filter refuses the same */
    ck_assert(met_without("no-network", "there"));
    ck_assert(met_without("empty-root", "there"));
    ck_assert(!met_without("no-network", NULL));
    /* no filter, though nothing failed: a build for a sanitizer */
    report = (struct stoq_sandbox_report){.applied = 0x3fffU};
    ck_assert(stoq_sandbox_unmet(sandbox, &report, text, sizeof(text)));
    ck_assert_ptr_nonnull(strstr(text, "sanitizer"));
}
END_TEST

START_TEST(auto_demands_nothing)
{
    char text[256];

    try_mode("auto");
    report = (struct stoq_sandbox_report){.failed = 0x7fffU};
    ck_assert(!stoq_sandbox_unmet(sandbox, &report, text, sizeof(text)));
}
END_TEST

START_TEST(memory_files_run_out)
{
    int fd = stoq_spare_take("x");

    /* elsewhere than in a scanner they do not */
    ck_assert_int_ge(fd, 0);
    ck_assert(!stoq_spare_low());
    ck_assert_int_eq(stoq_spare_fill(), 0);
    ck_assert(!stoq_spare_low());
    for (int i = 0; i < 4; i++) {
        int next = stoq_spare_take("x");

        ck_assert_int_ge(next, 0);
        ck_assert_int_eq(stoq_write_full(next, "text", 4), 0);
        ck_assert_int_eq(fcntl(next, F_ADD_SEALS, F_SEAL_WRITE), 0);
        ck_assert(stoq_spare_low() == (i >= 1));
    }
    ck_assert_int_eq(stoq_spare_take("x"), -EMFILE);
}
END_TEST

/** What the relay leaves of @p size bytes at @p text, written @p times. */
static size_t
relayed(const char *text, size_t size, int times, char *out, size_t room)
{
    struct stoq_relay relay = STOQ_RELAY_INIT;
    int saved = dup(STDERR_FILENO), file = memfd_create("stderr", MFD_CLOEXEC);
    ssize_t n;

    ck_assert_int_eq(stoq_relay_open(&relay), 0);
    ck_assert_int_ge(dup2(file, STDERR_FILENO), 0);
    for (int i = 0; i < times; i++) {
        (void)!write(relay.out, text, size);
        stoq_relay_pump(&relay);
    }
    ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
    n = stoq_pread_full(file, out, room, 0);
    ck_assert_int_ge(n, 0);
    (void)close(relay.in);
    (void)close(relay.out);
    (void)close(saved);
    (void)close(file);
    return (size_t)n;
}

START_TEST(standard_error_is_text)
{
    static const char said[] = "a\x1b[31mb\a\r\x7f\tc \xc3\xa9\n";
    char out[64];
    size_t n = relayed(said, sizeof(said) - 1, 1, out, sizeof(out));

    ck_assert_uint_eq(n, sizeof(said) - 1);
    ck_assert_int_eq(memcmp(out, "a?[31mb???\tc \xc3\xa9\n", n), 0);
}
END_TEST

START_TEST(standard_error_is_bounded)
{
    static char said[4096], out[4 << 20];
    uint64_t began = stoq_now_ms(), seconds;
    size_t n;

    memset(said, 'x', sizeof(said));
    n = relayed(said, sizeof(said), 512, out, sizeof(out));
    seconds = (stoq_now_ms() - began) / 1000 + 2;
    ck_assert_uint_ge(n, sizeof(said));
    ck_assert_uint_lt(n, seconds * (70U << 10));
}
END_TEST

int
main(void)
{
    const TTest *const tests[] = {
        trial,
        off_leaves_limits,
        require_demands,
        auto_demands_nothing,
        memory_files_run_out,
        standard_error_is_text,
        standard_error_is_bounded,
    };

    return run_suite("pool sandbox", tests, STOQ_ARRAY_SIZE(tests));
}
