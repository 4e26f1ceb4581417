/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A worker that does what a parser would do that was taken over. The payload's first
 * two words say what, and to whom: "OPEN /etc/passwd", "KILL 1234". It never says that
 * something failed: its results are what the calls returned, and who reads them as well
 * as the scan's own errors sees whether the sandbox held. Other payloads are left
 * alone.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stoq/plugin.h>

#define WORD 256
#define MIB  ((size_t)1 << 20)

/* What an attack leaves: "did" is nonzero when it got what it wanted. */
struct outcome {
    long did;
    int code;
};

static struct outcome
done(long did)
{
    return (struct outcome){did, did ? 0 : errno};
}

/* The first of "PID,PID" that is not this process itself. */
static pid_t
target(const char *pids)
{
    char *end = NULL;
    long pid = strtol(pids, &end, 10);
    return pid == getpid() && *end == ',' ? (pid_t)strtol(end + 1, NULL, 10)
                                          : (pid_t)pid;
}

/* A new descriptor, or a call that answers 0. */
static struct outcome
got(long r)
{
    return done(r >= 0);
}

static struct outcome
open_file(const char *path)
{
    return got(open(path, O_RDONLY | O_CLOEXEC));
}

static struct outcome
write_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return done(fd >= 0 && write(fd, "hostile", 7) == 7);
}

static struct outcome
look_at(const char *path)
{
    struct stat st;
    return got(lstat(path, &st));
}

static struct outcome
remove_file(const char *path)
{
    return got(unlink(path));
}

static struct outcome
make_directory(const char *path)
{
    return got(mkdir(path, 0700));
}

static struct outcome
connect_to(const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)atoi(port)),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return done(fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
}

static struct outcome
make_socket(const char *unused)
{
    (void)unused;
    return got(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

static struct outcome
execute(const char *path)
{
    char *arguments[] = {(char *)(uintptr_t)path, NULL};
    (void)execv(path, arguments);
    return done(0);
}

static struct outcome
fork_once(const char *unused)
{
    pid_t pid = fork();
    (void)unused;
    if (pid == 0)
        for (;;)
            (void)pause();
    return got(pid);
}

static struct outcome
fork_bomb(const char *unused)
{
    volatile bool on = true;
    (void)unused;
    while (on)
        if (fork() == 0)
            (void)usleep(1000);
    return done(1);
}

static int
linger(void *unused)
{
    (void)unused;
    for (;;)
        (void)pause();
    return 0;
}

/* A scanner may have a few. */
static struct outcome
thread_bomb(const char *unused)
{
    enum { SIZE = 8192, MANY = 1000, FEW = 100 };
    char *stacks = malloc((size_t)SIZE * MANY);
    int n = 0;
    (void)unused;
    for (; stacks && n < MANY; n++)
        if (clone(linger, stacks + (size_t)SIZE * (size_t)(n + 1),
                  CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                      CLONE_SYSVSEM,
                  NULL) < 0)
            break;
    return (struct outcome){n > FEW, n > FEW ? 0 : errno};
}

static void *
add_one(void *number)
{
    ++*(int *)number;
    return NULL;
}

/* What a worker may do. */
static struct outcome
helper(const char *unused)
{
    pthread_t thread;
    int number = 1, r = pthread_create(&thread, NULL, add_one, &number);
    (void)unused;
    if (r == 0)
        r = pthread_join(thread, NULL);
    return (struct outcome){r == 0 && number == 2, r};
}

static struct outcome
trace(const char *pid)
{
    return got(ptrace(PTRACE_ATTACH, target(pid), NULL, NULL));
}

static struct outcome
peek(const char *pid)
{
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)(uintptr_t)&peek, 1};
    return got(process_vm_readv(target(pid), &here, 1, &there, 1, 0));
}

static struct outcome
read_memory(const char *pid)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/mem", target(pid));
    return open_file(path);
}

static struct outcome
end_process(const char *pid)
{
    return got(kill(target(pid), SIGTERM));
}

static struct outcome
end_quietly(const char *pid)
{
    int fd = (int)syscall(SYS_pidfd_open, target(pid), 0U);
    return got(fd < 0 ? fd : syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0U));
}

/* Until there is none; then on as if nothing had been. */
static struct outcome
fill_memory(const char *unused)
{
    size_t n = 0;
    (void)unused;
    for (void *p; n < 65536 && (p = malloc(MIB)); n++)
        memset(p, 0x5a, MIB);
    return (struct outcome){n >= 65536, errno};
}

static struct outcome
map_away(int flags)
{
    const size_t size = 512 * MIB;
    size_t n = 0;
    for (; n < 64; n++) {
        void *p =
            mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
        if (p == MAP_FAILED)
            break;
    }
    return (struct outcome){n > 0, n > 0 ? 0 : errno};
}

static struct outcome
share_memory(const char *unused)
{
    (void)unused;
    return map_away(MAP_SHARED);
}

static struct outcome
grow_downwards(const char *unused)
{
    (void)unused;
    return map_away(MAP_PRIVATE | MAP_GROWSDOWN);
}

static struct outcome
fill_disk(const char *unused)
{
    (void)unused;
    return got(memfd_create("hostile", 0));
}

static struct outcome
fill_log(const char *unused)
{
    static char text[65536];
    (void)unused;
    memset(text, 'h', sizeof(text));
    for (int i = 0; i < 2048; i++)
        (void)!write(STDERR_FILENO, text, sizeof(text));
    return done(1);
}

static struct outcome
type_text(const char *unused)
{
    (void)unused;
    return got(ioctl(STDERR_FILENO, TIOCSTI, "x"));
}

static struct outcome
more_room(const char *unused)
{
    const struct rlimit r = {RLIM_INFINITY, RLIM_INFINITY};
    (void)unused;
    return got(setrlimit(RLIMIT_DATA, &r));
}

static struct outcome
other_user(const char *unused)
{
    (void)unused;
    return got(setuid(0));
}

static struct outcome
new_namespace(const char *unused)
{
    (void)unused;
    return got(unshare(CLONE_NEWUSER));
}

static struct outcome
mount_something(const char *unused)
{
    (void)unused;
    return got(mount("none", "/", "tmpfs", 0, NULL));
}

static struct outcome
own_handler(const char *unused)
{
    struct sigaction a = {.sa_handler = SIG_IGN};
    (void)unused;
    /* the kernel looks at the lower half of the number */
    return got(syscall(SYS_rt_sigaction, SIGSYS | 1UL << 32, &a, NULL, 8UL));
}

static struct outcome
block_handler(const char *unused)
{
    sigset_t all;
    (void)unused;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
    return got(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static struct outcome
new_code(const char *unused)
{
    void *p =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)unused;
    return done(p != MAP_FAILED && mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0);
}

static struct outcome
old_calls(const char *unused)
{
    long r = -1;
    (void)unused;
#ifdef __x86_64__
    /* getpid of 32 bit programs: the list knows those of 64 bits alone */
    __asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory");
#endif
    return done(r > 0);
}

static struct outcome
lock_payload(const char *unused)
{
    int code = 0;
    (void)unused;
    for (int fd = 3; fd < 32; fd++) {
        if (syscall(SYS_flock, fd, 6 /* LOCK_EX | LOCK_NB */) == 0)
            return done(1);
        code = errno == EBADF ? code : errno;
    }
    return (struct outcome){0, code};
}

static struct outcome
rare_calls(const char *unused)
{
    union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY};
    struct io_uring_params ring = {0};
    int pair[2];
    (void)unused;
    attr.key_size = 4;
    attr.value_size = 4;
    attr.max_entries = 1;
    return done(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)) >= 0 ||
                syscall(SYS_io_uring_setup, 4U, &ring) >= 0 ||
                syscall(SYS_userfaultfd, 0) >= 0 ||
                syscall(SYS_keyctl, 0, -3, 1) >= 0 ||
                syscall(SYS_add_key, "user", "x", "x", 1UL, -3) >= 0 ||
                syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0UL) >= 0 ||
                shmget(IPC_PRIVATE, 4096, 0600) >= 0 || pipe(pair) == 0 ||
                socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 ||
                syscall(SYS_init_module, NULL, 0UL, "") >= 0);
}

static const struct {
    const char *word;
    struct outcome (*attack)(const char *argument);
} attacks[] = {
    {"OPEN", open_file},        {"WRITE", write_file},
    {"LOOK", look_at},          {"REMOVE", remove_file},
    {"MKDIR", make_directory},  {"CONNECT", connect_to},
    {"SOCKET", make_socket},    {"EXEC", execute},
    {"FORK", fork_once},        {"FORKBOMB", fork_bomb},
    {"THREADS", thread_bomb},   {"HELPER", helper},
    {"PTRACE", trace},          {"PEEK", peek},
    {"MEM", read_memory},       {"KILL", end_process},
    {"PIDFD", end_quietly},     {"MEMORY", fill_memory},
    {"SHARED", share_memory},   {"GROWSDOWN", grow_downwards},
    {"DISK", fill_disk},        {"LOG", fill_log},
    {"TYPE", type_text},        {"RLIMIT", more_room},
    {"SETUID", other_user},     {"UNSHARE", new_namespace},
    {"MOUNT", mount_something}, {"HANDLER", own_handler},
    {"BLOCK", block_handler},   {"CODE", new_code},
    {"INT80", old_calls},       {"FLOCK", lock_payload},
    {"RARE", rare_calls},
};

static int
hostile_scan(void *instance, struct stoq_payload *payload,
             const struct stoq_request *request, struct stoq_reply *reply,
             unsigned flags, struct stoq_error *err)
{
    char text[2 * WORD + 2] = "", word[WORD] = "", argument[WORD] = "";
    size_t size;
    const unsigned char *data = stoq_payload_data(payload, &size);
    (void)instance;
    (void)request;
    (void)flags;
    (void)err;
    memcpy(text, data, size < sizeof(text) - 1 ? size : sizeof(text) - 1);
    if (sscanf(text, "%255s %255s", word, argument) < 1)
        return 0;
    for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        if (strcmp(word, attacks[i].word) != 0)
            continue;
        struct outcome o = attacks[i].attack(argument);
        stoq_reply_results(reply, json_pack("{s:s, s:b, s:s}", "attack", word, "did",
                                            o.did != 0, "error",
                                            o.did ? "" : strerrorname_np(o.code)));
    }
    return 0;
}

static const struct stoq_plugin plugin = {
    STOQ_PLUGIN_HEAD,
    .name = "hostile",
    .thread_model = STOQ_THREAD_PARALLEL,
    .traits = STOQ_TRAIT_CONTENT_ONLY,
    .scan = hostile_scan,
};
STOQ_PLUGIN(plugin);
