/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Files per second of the engine: hash and yara over 2,000 contents of about 10 KB that
 * lie in memory, as the original was measured, by 1 and by N threads. Beside it, in the
 * same minute, the floor: the same three digests and the same rules by the bare
 * libraries, nothing else. The ratio of files per CPU second is what the engine costs;
 * files/s depends on what else the machine does.
 *
 *     bench_engine [THREADS [ROUNDS]]
 */

#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <yara.h>

#include <stoq/stoq.h>

#define FILES 2000
#define MEAN  9978

struct content {
    unsigned char *data;
    size_t size;
};

static struct content contents[FILES];
static YR_RULES *rules;

static void
die(const char *what)
{
    (void)fprintf(stderr, "bench_engine: %s\n", what);
    exit(EXIT_FAILURE);
}

/* Two thirds text of words, one third bytes of any value; the same on every machine. */
static void
make_contents(void)
{
    static const char *const words[] = {"the ",    "quick ", "scan ",  "of\n",
                                        "upload ", "http ",  "value ", "{\"k\"",
                                        ": 12, ",  "size "};
    uint64_t x = 88172645463325252U;

    for (size_t i = 0; i < FILES; i++) {
        struct content *c = &contents[i];
        size_t at = 0;

        c->size = MEAN / 2 + (i * 7919) % MEAN;
        c->data = malloc(c->size + 16);
        if (!c->data)
            die("out of memory");
        while (at < c->size) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            if (i % 3) {
                const char *word = words[x % 10];

                memcpy(c->data + at, word, strlen(word));
                at += strlen(word);
            } else {
                memcpy(c->data + at, &x, sizeof x);
                at += sizeof x;
            }
        }
    }
}

static double
now(clockid_t clock)
{
    struct timespec ts;

    (void)clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ------------------------------------------------------------------------ the floor */

static int
ignore(YR_SCAN_CONTEXT *context, int message, void *data, void *user)
{
    (void)context;
    (void)message;
    (void)data;
    (void)user;
    return CALLBACK_CONTINUE;
}

static void *
run_floor(void *arg)
{
    const EVP_MD *const kinds[] = {EVP_sha256(), EVP_md5(), EVP_sha1()};
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    YR_SCANNER *scanner = NULL;
    size_t rounds = *(const size_t *)arg;

    if (!ctx || yr_scanner_create(rules, &scanner) != ERROR_SUCCESS)
        die("out of memory");
    yr_scanner_set_callback(scanner, ignore, NULL);
    for (size_t i = 0; i < rounds * FILES; i++) {
        const struct content *c = &contents[i % FILES];
        unsigned char out[EVP_MAX_MD_SIZE];

        for (size_t k = 0; k < 3; k++) {
            if (!EVP_DigestInit_ex(ctx, kinds[k], NULL) ||
                !EVP_DigestUpdate(ctx, c->data, c->size) ||
                !EVP_DigestFinal_ex(ctx, out, NULL))
                die("a digest failed");
        }
        if (yr_scanner_scan_mem(scanner, c->data, c->size) != ERROR_SUCCESS)
            die("yara failed");
    }
    yr_scanner_destroy(scanner);
    EVP_MD_CTX_free(ctx);
    return NULL;
}

static void
load_rules(void)
{
    YR_COMPILER *compiler = NULL;
    FILE *f = fopen(RULES, "re");

    if (!f || yr_initialize() != ERROR_SUCCESS ||
        yr_compiler_create(&compiler) != ERROR_SUCCESS ||
        yr_compiler_add_file(compiler, f, NULL, NULL) != 0 ||
        yr_compiler_get_rules(compiler, &rules) != ERROR_SUCCESS)
        die(RULES " does not compile");
    yr_compiler_destroy(compiler);
    (void)fclose(f);
}

/* ----------------------------------------------------------------------- the engine */

static void
set(struct stoq_config *config, const char *section, const char *key, const char *value)
{
    struct stoq_error err = {0};

    if (stoq_config_set(config, section, key, value, &err) < 0)
        die(err.message);
}

static struct stoq *
make_engine(void)
{
    struct stoq_config *config = NULL;
    struct stoq *stoq = NULL;
    struct stoq_error err = {0};

    if (stoq_config_new(&config, &err) < 0)
        die(err.message);
    set(config, "core", "plugin_dir_list", PLUGIN_DIR);
    set(config, "core", "log_dir", "");
    set(config, "core", "always_dispatch", "yara,hash");
    set(config, "yara", "worker_rules", RULES);
    set(config, "yara", "dispatch_rules", "");
    if (stoq_new(config, STOQ_ROLE_SCAN, &stoq, &err) < 0)
        die(err.message);
    stoq_config_free(config);
    return stoq;
}

/* An engine per thread, as in the scanners: a worker that is not thread-safe would
 * otherwise serialise them. */
static void *
run_engine(void *arg)
{
    size_t rounds = *(const size_t *)arg;
    struct stoq *stoq = make_engine();

    for (size_t i = 0; i < rounds * FILES; i++) {
        const struct content *c = &contents[i % FILES];
        struct stoq_response *response = NULL;
        char *text;

        if (stoq_scan(stoq, c->data, c->size, NULL, NULL, &response, NULL) < 0)
            die("a scan failed");
        text = stoq_response_text(response, false);
        /* One of the rules always matches. */
        if (!text || stoq_response_verdict(response) != STOQ_VERDICT_FLAGGED)
            die("a scan did not end flagged");
        free(text);
        stoq_response_free(response);
    }
    stoq_free(stoq);
    return NULL;
}

static double
measure(const char *what, void *(*run)(void *), size_t threads, size_t rounds)
{
    pthread_t ids[64];
    struct rusage ru;
    double begin = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    double files = (double)(threads * rounds * FILES), rate;

    for (size_t i = 0; i < threads; i++)
        if (pthread_create(&ids[i], NULL, run, &rounds) != 0)
            die("no thread");
    for (size_t i = 0; i < threads; i++)
        (void)pthread_join(ids[i], NULL);
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    rate = files / (now(CLOCK_MONOTONIC) - begin);
    (void)getrusage(RUSAGE_SELF, &ru);
    (void)printf(
        "%-7s threads=%zu files=%.0f files/s=%.0f files/cpu_s=%.0f maxrss_MB=%ld\n",
        what, threads, files, rate, files / cpu, ru.ru_maxrss / 1024);
    (void)fflush(stdout);
    return files / cpu;
}

int
main(int argc, char **argv)
{
    size_t threads = argc > 1 ? strtoul(argv[1], NULL, 10) : 2;
    size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 10;

    if (threads < 1 || threads > 64 || rounds < 1)
        die("usage: bench_engine [THREADS (1-64) [ROUNDS]]");
    make_contents();
    load_rules();
    for (size_t n = 1;; n = threads) {
        double engine = measure("engine", run_engine, n, rounds);
        double bare = measure("bare", run_floor, n, rounds);

        (void)printf("engine/bare, per CPU second: %.2f\n", engine / bare);
        if (n == threads)
            break;
    }
    return EXIT_SUCCESS;
}
