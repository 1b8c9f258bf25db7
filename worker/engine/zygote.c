/* The zygote: both sides of it. The owner's side sends requests over one SEQPACKET socket and
 * never waits for an answer; the zygote's side is a loop over that socket and the ends of its
 * children.
 *
 * Who ends whom: the owner's death closes the control socket and, through PR_SET_PDEATHSIG,
 * kills the zygote; the zygote's death kills the executors in the same way. Each link is checked
 * for the parent having died before the request was made. */
#include "worker/engine/zygote.h"

#include "common/base/check.h"
#include "common/base/record.h"
#include "common/io/spawn_groups.h"
#include "worker/engine/clock.h"
#include "worker/engine/engine.h"
#include "worker/engine/executor.h"
#include "worker/engine/executor_wire.h"
#include "worker/engine/zygote_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct zygote {
    pid_t pid;
    int control;
    struct slot_record *records; /* ENGINE_PROCESSES_MAX, shared with zygote and executors */
    pthread_mutex_t lock;
    bool taken[ENGINE_PROCESSES_MAX];
};

enum zygote_request_kind { ZYGOTE_SPAWN = 1, ZYGOTE_TERM, ZYGOTE_KILL };

enum { END_GRACE_MS = 300 }; /* for executors to end what they have started */

/* With ZYGOTE_SPAWN come descriptors: of the executor's end of its connection and, with `records`,
 * of the memory for them. */
struct zygote_request {
    enum zygote_request_kind kind;
    uint32_t place;
    bool records;
};

enum { REQUEST_FDS_MAX = 2 };

union request_ancillary {
    char bytes[CMSG_SPACE(REQUEST_FDS_MAX * sizeof(int))];
    struct cmsghdr header; /* for its alignment */
};

/* The zygote's own side. */
struct nursery {
    pid_t owner;
    int control;
    int signals;
    struct slot_record *records;

    struct nursery_child {
        pid_t pid; /* 0: none */
        int fd;    /* a copy of the executor's end, kept to tell its end */
    } children[ENGINE_PROCESSES_MAX];
};

/* --- in the zygote --- */

/* Die with the parent. It may have died before we asked. */
static void die_with(pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(EXIT_FAILURE);
    }
}

/* Every descriptor but the standard ones and `fd`. */
static void close_others(int fd)
{
    if (fd > STDERR_FILENO + 1) {
        (void)close_range(STDERR_FILENO + 1, (unsigned)fd - 1, 0);
    }
    (void)close_range((unsigned)fd + 1, ~0U, 0);
}

/* As in a program that has just been started, but for SIGPIPE: an executor writes to sockets
 * whose other end may go. */
static void reset_signals(void)
{
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action = {.sa_handler = number == SIGPIPE ? SIG_IGN : SIG_DFL};
        (void)sigaction(number, &action, NULL);
    }
    sigset_t none;
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
}

static void tell(int fd, const struct executor_report *message)
{
    /* Never wait for a feeder; one whose socket is full of news is gone or about to read. */
    (void)send(fd, message, EXECUTOR_REPORT_SHORT, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void *map_records(int fd)
{
    return fd < 0 ? NULL : mmap(NULL, RECORDS_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

_Noreturn static void be_executor(struct nursery *self, uint32_t place, const int *fds)
{
    (void)prctl(PR_SET_NAME, "quartet-exec");
    void *records = map_records(fds[1]);
    close_others(fds[0]);
    reset_signals();
    executor_main(fds[0], &self->records[place], records);
}

static void refuse(int fd, int why)
{
    struct executor_report message = {.kind = EXECUTOR_NOT_FORKED, .status = why};
    tell(fd, &message);
    (void)close(fd);
}

static void spawn(struct nursery *self, uint32_t place, const int *fds)
{
    struct nursery_child *child = &self->children[place];
    pid_t zygote = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        die_with(zygote);
        be_executor(self, place, fds);
    }
    if (pid < 0) {
        refuse(fds[0], errno);
        return;
    }
    *child = (struct nursery_child){.pid = pid, .fd = fds[0]};
}

static uint64_t timeval_us(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

static void reap_one(struct nursery *self, pid_t pid, int status, const struct rusage *used)
{
    struct executor_report message = {
        .kind = EXECUTOR_EXITED,
        .pid = pid,
        .status = status,
        .cpu_us = timeval_us(used->ru_utime) + timeval_us(used->ru_stime),
    };
    for (size_t i = 0; i < ENGINE_PROCESSES_MAX; i++) {
        struct nursery_child *child = &self->children[i];
        if (child->pid == pid) {
            spawn_groups_kill(pid); /* it cannot any more */
            child->pid = 0;
            tell(child->fd, &message);
            (void)close(child->fd);
            return;
        }
    }
}

/* One signal may stand for many ends. Every child of the zygote is an executor, so that waiting
 * for any steals from nobody. */
static void reap(struct nursery *self)
{
    struct signalfd_siginfo info;
    while (read(self->signals, &info, sizeof(info)) > 0) {
    }
    for (;;) {
        int status;
        struct rusage used;
        pid_t pid = wait4(-1, &status, WNOHANG, &used);
        if (pid <= 0) {
            return;
        }
        reap_one(self, pid, status, &used);
    }
}

/* Returns how many there are. */
static size_t signal_all(const struct nursery *self, int number)
{
    size_t count = 0;
    for (size_t i = 0; i < ENGINE_PROCESSES_MAX; i++) {
        if (self->children[i].pid != 0) {
            (void)kill(self->children[i].pid, number);
            count++;
        }
    }
    return count;
}

/* Executors end what they have started before they go; those that do not are ended. */
_Noreturn static void end_zygote(struct nursery *self)
{
    spawn_groups_kill(self->owner);
    uint64_t until_ns = clock_now_ns() + (uint64_t)END_GRACE_MS * NS_PER_MS;
    struct pollfd ends = {.fd = self->signals, .events = POLLIN};
    for (size_t left = signal_all(self, SIGTERM); left > 0; left = signal_all(self, 0)) {
        uint64_t now_ns = clock_now_ns();
        if (now_ns >= until_ns) {
            break;
        }
        (void)poll(&ends, 1, (int)((until_ns - now_ns) / NS_PER_MS) + 1);
        reap(self);
    }
    (void)signal_all(self, SIGKILL);
    for (pid_t pid = 0; pid >= 0 || errno == EINTR;) {
        pid = wait(NULL);
        spawn_groups_kill(pid);
    }
    _exit(EXIT_SUCCESS);
}

/* Receive one request, with the descriptors that came with it, -1 for those that did not. False at
 * the end of the connection. */
static bool receive(int control, struct zygote_request *ret_request, int ret_fds[REQUEST_FDS_MAX])
{
    union request_ancillary ancillary;
    struct iovec part = {.iov_base = ret_request, .iov_len = sizeof(*ret_request)};
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = ancillary.bytes,
        .msg_controllen = sizeof(ancillary.bytes),
    };
    ssize_t got;
    do {
        got = recvmsg(control, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof(*ret_request)) {
        return false;
    }
    for (int i = 0; i < REQUEST_FDS_MAX; i++) {
        ret_fds[i] = -1;
    }
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS) {
        memcpy(ret_fds, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
    }
    return true;
}

static void close_if_open(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
}

static void on_request(struct nursery *self)
{
    struct zygote_request request;
    int fds[REQUEST_FDS_MAX];
    if (!receive(self->control, &request, fds)) {
        end_zygote(self);
    }
    struct nursery_child *child = &self->children[request.place % ENGINE_PROCESSES_MAX];
    if (request.kind == ZYGOTE_SPAWN && fds[0] >= 0) {
        CHECK(child->pid == 0);
        if (request.records && fds[1] < 0) {
            refuse(fds[0], EMFILE); /* the kernel drops descriptors that there is no room for */
        } else {
            spawn(self, request.place, fds);
        }
        close_if_open(fds[1]);
    } else if (request.kind != ZYGOTE_SPAWN && child->pid != 0) {
        /* Not reaped yet, so that the number cannot have become another process's. */
        (void)kill(child->pid, request.kind == ZYGOTE_TERM ? SIGTERM : SIGKILL);
    }
}

/* An own process group and no signals but the children's: Ctrl-C on the terminal is for the
 * owner to act on. */
static int isolate(void)
{
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_NAME, "quartet-zygote");
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null >= 0) {
        (void)dup2(null, STDIN_FILENO);
        (void)close(null);
    }
    sigset_t all;
    sigset_t child;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, NULL);
    struct sigaction reap_later = {.sa_handler = SIG_DFL}; /* a parent may have had it ignored */
    (void)sigaction(SIGCHLD, &reap_later, NULL);
    (void)sigemptyset(&child);
    (void)sigaddset(&child, SIGCHLD);
    return signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
}

_Noreturn static void zygote_main(pid_t owner, int control, struct slot_record *records)
{
    close_others(control);
    struct nursery self = {
        .owner = owner, .control = control, .signals = isolate(), .records = records};
    CHECK(self.signals >= 0);
    struct pollfd polled[] = {
        {.fd = self.signals, .events = POLLIN},
        {.fd = control, .events = POLLIN},
    };
    for (;;) {
        if (poll(polled, 2, -1) < 0) {
            continue;
        }
        /* Ends first: a place is used again as soon as its end was told. */
        if (polled[0].revents != 0) {
            reap(&self);
        }
        if (polled[1].revents != 0) {
            on_request(&self);
        }
    }
}

/* --- in the owner --- */

/* A directory has two links and one for each directory in it; this one has a directory for each
 * thread. */
static size_t count_threads(void)
{
    struct stat tasks;
    if (stat("/proc/self/task", &tasks) != 0 || tasks.st_nlink < 3) {
        return 1; /* without /proc nobody can tell */
    }
    return tasks.st_nlink - 2;
}

int zygote_start(struct err_text *ret_error, struct zygote **ret_zygote)
{
    CHECK(count_threads() == 1);
    int sockets[2];
    struct zygote *zygote = calloc(1, sizeof(*zygote));
    if (zygote == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for the zygote");
    }
    size_t size = ENGINE_PROCESSES_MAX * sizeof(struct slot_record);
    /* Costs addresses only: pages come when a place is used. */
    zygote->records = mmap(
        NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int rc = 0;
    if (zygote->records == MAP_FAILED) {
        rc = err_set(ret_error, ERR_NOMEM, "no memory to share with executors");
        goto out;
    }
    if (spawn_groups_init() != 0) {
        rc = err_set(ret_error, ERR_NOMEM, "no memory to share with the zygote");
        goto out_map;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) {
        rc = err_set(ret_error, ERR_IO, "cannot connect a zygote: %s", strerrordesc_np(errno));
        goto out_map;
    }
    pid_t owner = getpid();
    zygote->pid = fork();
    if (zygote->pid == 0) {
        /* Not by a death signal: when the owner is killed, its end of the connection closes, and
         * executors still end what they have started. */
        zygote_main(owner, sockets[1], zygote->records);
    }
    (void)close(sockets[1]);
    if (zygote->pid < 0) {
        rc = err_set(ret_error, ERR_IO, "cannot fork a zygote: %s", strerrordesc_np(errno));
        (void)close(sockets[0]);
        goto out_map;
    }
    zygote->control = sockets[0];
    CHECK(pthread_mutex_init(&zygote->lock, NULL) == 0);
    *ret_zygote = zygote;
    return 0;
out_map:
    (void)munmap(zygote->records, size);
out:
    free(zygote);
    return rc;
}

void zygote_stop(struct zygote *zygote)
{
    if (zygote == NULL) {
        return;
    }
    (void)close(zygote->control);
    while (waitpid(zygote->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    (void)munmap(zygote->records, ENGINE_PROCESSES_MAX * sizeof(struct slot_record));
    CHECK(pthread_mutex_destroy(&zygote->lock) == 0);
    free(zygote);
}

int zygote_take_place(struct zygote *zygote, struct err_text *ret_error, uint32_t *ret_place)
{
    pthread_mutex_lock(&zygote->lock);
    uint32_t place = 0;
    while (place < ENGINE_PROCESSES_MAX && zygote->taken[place]) {
        place++;
    }
    if (place < ENGINE_PROCESSES_MAX) {
        zygote->taken[place] = true;
    }
    pthread_mutex_unlock(&zygote->lock);
    if (place == ENGINE_PROCESSES_MAX) {
        return err_set(ret_error,
                       ERR_BUSY,
                       "all %d processes that one program may have are in use",
                       ENGINE_PROCESSES_MAX);
    }
    *ret_place = place;
    return 0;
}

void zygote_give_place(struct zygote *zygote, uint32_t place)
{
    pthread_mutex_lock(&zygote->lock);
    zygote->taken[place] = false;
    pthread_mutex_unlock(&zygote->lock);
}

struct slot_record *zygote_record(struct zygote *zygote, uint32_t place)
{
    return &zygote->records[place];
}

/* Send it with the first `fd_count` of `fds`. Returns 0 or a negative errno. */
static int request(struct zygote *zygote,
                   const struct zygote_request *body,
                   const int *fds,
                   size_t fd_count)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)body, .iov_len = sizeof(*body)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    union request_ancillary ancillary;
    if (fd_count > 0) {
        memset(&ancillary, 0, sizeof(ancillary));
        message.msg_control = ancillary.bytes;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
    }
    ssize_t sent;
    do {
        sent = sendmsg(zygote->control, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

int zygote_spawn(struct zygote *zygote,
                 uint32_t place,
                 int records_fd,
                 struct err_text *ret_error,
                 int *ret_fd)
{
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0) {
        return err_set(ret_error,
                       ERR_IO,
                       "cannot connect executor %u: %s (raise ulimit -n)",
                       place,
                       strerrordesc_np(errno));
    }
    /* Only our end: the executor sleeps in its. */
    (void)fcntl(sockets[0], F_SETFL, O_NONBLOCK);
    bool records = records_fd >= 0;
    struct zygote_request body = {.kind = ZYGOTE_SPAWN, .place = place, .records = records};
    const int fds[REQUEST_FDS_MAX] = {sockets[1], records_fd};
    int rc = request(zygote, &body, fds, records ? 2 : 1);
    (void)close(sockets[1]);
    if (rc != 0) {
        (void)close(sockets[0]);
        return err_set(ret_error, ERR_GONE, "the zygote is gone: %s", strerrordesc_np(-rc));
    }
    *ret_fd = sockets[0];
    return 0;
}

static void request_signal(struct zygote *zygote, enum zygote_request_kind kind, uint32_t place)
{
    /* A zygote that is gone has taken its executors with it. */
    struct zygote_request body = {.kind = kind, .place = place};
    (void)request(zygote, &body, NULL, 0);
}

void zygote_terminate(struct zygote *zygote, uint32_t place)
{
    request_signal(zygote, ZYGOTE_TERM, place);
}

void zygote_kill(struct zygote *zygote, uint32_t place)
{
    request_signal(zygote, ZYGOTE_KILL, place);
}
