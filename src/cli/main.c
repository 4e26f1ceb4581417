/* SPDX-License-Identifier: Apache-2.0 */

/* The verbs. */

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "util/auto.h"
#include "util/title.h"

static const char usage_text[] =
    "usage: stoq scan [FILE|DIR|- ...] [options]   scan and print the results\n"
    "       stoq run -P NAME ... [options]         scan what providers find\n"
    "       stoq list [--plugin-dir DIR ...]       list the plugins\n"
    "       stoq plugin info NAME [--json]         tell all about one plugin\n"
    "       stoq test [NAME ...] [options]         run the self-tests of plugins\n"
    "       stoq install [--upgrade] DIR|TARBALL   install a plugin\n"
    "       stoq outbox ls|retry|drop [MNT] [ID ...]\n"
    "                                              results not delivered: list, try\n"
    "                                              again, give up\n"
    "       stoq check-config [options]            load everything, print what is in "
    "force\n"
    "       stoq reload MNT [--timeout SECONDS]    have a mount load plugins and rules "
    "anew\n"
    "\n"
    "  -a, --always-dispatch NAME ...   workers for every payload\n"
    "  -s, --start-dispatch NAME ...    workers for the files named\n"
    "  -R, --dispatchers NAME ...       dispatchers\n"
    "  -D, --decorators NAME ...        decorators\n"
    "  -C, --connectors NAME ...        deliver results there instead of printing "
    "them\n"
    "  -A, --dest-archivers NAME ...    archive payloads there\n"
    "  -S, --source-archivers NAME ...  archivers that providers may name\n"
    "  -P, --providers NAME ...         providers, for stoq run\n"
    "      --plugin-opts P:O=V ...      option O of plugin P\n"
    "      --plugin-dir DIR ...         directories with plugins\n"
    "      --request-source TEXT        request_meta.source\n"
    "      --request-extra K=V ...      request_meta.extra_data\n"
    "      --max-recursion N            rounds of workers (10)\n"
    "      --config-file FILE           default $STOQ_HOME/stoq.cfg\n"
    "      --log-level LEVEL            debug, info, warning, error, critical\n"
    "      --isolation pool|none        scan in sandboxed processes (default) or in "
    "this "
    "one\n"
    "      --sandbox auto|require|off   what those processes give up\n"
    "      --deadline SECONDS           longest time for one file\n"
    "      --ratelimit COUNT/SECONDS    scan no more files than that\n"
    "      --exit-zero                  exit 0 also when something is flagged or "
    "unseen\n"
    "      --json                       stoq plugin info, stoq test, stoq outbox: "
    "print "
    "JSON\n"
    "      --state-dir DIR              stoq outbox: instead of MNT\n"
    "      --connector NAME             stoq outbox: results for this one only\n"
    "      --dead                       stoq outbox: dead letters only\n"
    "      --allow-missing              stoq test: let plugins be without self-test\n"
    "      --timeout SECONDS            stoq reload: longest time to wait (300)\n"
    "      --upgrade                    stoq install: replace what is there\n"
    "  -h, --help    -V, --version\n"
    "\n"
    "Exit status: 0 clean, 1 flagged, 2 usage or input error, 3 not fully scanned.\n"
    "stoq test: 1 when a self-test failed; stoq outbox: 1 when an ID is not there;\n"
    "stoq reload: 1 refused, 3 not ended in time.\n"
    "An option takes all words up to the next option, so files come first.\n";

static const struct verb {
    const char *name;
    int (*run)(const struct cli_args *args);
    bool scans; /* its status is of what was scanned */
} verbs[] = {
    {"scan", cli_scan, true},        {"run", cli_run, true},
    {"list", cli_list, false},       {"check-config", cli_check_config, false},
    {"test", cli_test, false},       {"plugin", cli_plugin, false},
    {"install", cli_install, false}, {"outbox", cli_outbox, false},
    {"reload", cli_reload, false},
};

static const struct verb *
find_verb(const char *name)
{
    for (size_t i = 0; i < STOQ_ARRAY_SIZE(verbs); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

int
cli_fail(int status, const struct stoq_error *err)
{
    (void)fprintf(stderr, "stoq: %s\n", err->message);
    return status;
}

static int
run_verb(const struct verb *verb, int argc, char **argv)
{
    struct cli_args args = {0};
    struct stoq_error err = {0};
    int status;
    if (cli_args_parse(verb->name, argc, argv, &args, &err) < 0) {
        status = cli_fail(CLI_USAGE, &err);
    } else if (args.help) {
        (void)fputs(usage_text, stdout);
        status = CLI_CLEAN;
    } else {
        status = verb->run(&args);
        if (fflush(stdout) != 0) {
            (void)fprintf(stderr, "stoq: standard output: %s\n", strerror(errno));
            status = CLI_USAGE;
        } else if (verb->scans && (args.exit_zero || getenv("STOQ_EXIT_ZERO")) &&
                   status != CLI_USAGE) {
            status = CLI_CLEAN;
        }
    }
    cli_args_fini(&args);
    return status;
}

int
main(int argc, char **argv)
{
    stoq_title_init(argc, argv);
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        (void)fputs(usage_text, stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0) {
        (void)fputs(usage_text, stdout);
        return CLI_CLEAN;
    }
    if (strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0) {
        (void)printf("stoq %s\n", stoq_version());
        return CLI_CLEAN;
    }
    const struct verb *verb = find_verb(argv[1]);
    if (!verb) {
        (void)fprintf(stderr, "stoq: unknown verb %s; see stoq --help\n", argv[1]);
        return CLI_USAGE;
    }
    return run_verb(verb, argc - 2, argv + 2);
}
