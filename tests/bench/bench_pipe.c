/* What workload pipe costs: items a second through one slot and a program that gives each line
 * back, against the plainest programs that do the same over a fork and two pipes: one that
 * streams (a thread writes, another counts newlines: it neither checks nor marks nor reports
 * anything), and one that writes a line and waits for its answer. A benchmark, not a test: it
 * prints and judges nothing. Usage: bench_pipe [ITEMS] */
#include "common/base/check.h"
#include "worker/workloads/params.h"
#include "worker/workloads/registry.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 65536, BUFFER = 65536, NUMBER_MAX = 21, STEP_SHARE = 50 };

static double seconds_now(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- the program: reads lines, answers each, flushes when no line is ready --- */

static void flush(const char *bytes, size_t *len)
{
    for (size_t put = 0; put < *len;) {
        ssize_t now = write(STDOUT_FILENO, bytes + put, *len - put);
        if (now <= 0) {
            exit(1);
        }
        put += (size_t)now;
    }
    *len = 0;
}

static bool is_ready(void)
{
    struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&fd, 1, 0) > 0;
}

static int answer_lines(void)
{
    static char in[BUFFER];
    static char out[BUFFER];
    size_t in_len = 0;
    size_t out_len = 0;
    for (;;) {
        if (out_len > 0 && !is_ready()) {
            flush(out, &out_len);
        }
        ssize_t got = read(STDIN_FILENO, in + in_len, sizeof(in) - in_len);
        if (got <= 0) {
            flush(out, &out_len);
            return 0;
        }
        in_len += (size_t)got;
        size_t start = 0;
        for (char *end; (end = memchr(in + start, '\n', in_len - start)) != NULL;) {
            size_t line = (size_t)(end - in) - start + 1;
            if (out_len + line > sizeof(out)) {
                flush(out, &out_len);
            }
            memcpy(out + out_len, in + start, line);
            out_len += line;
            start += line;
        }
        memmove(in, in + start, in_len - start);
        in_len -= start;
    }
}

/* The same with stdio, which holds answers back. */
static int hold_lines(void)
{
    char line[NUMBER_MAX + 2];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        (void)fputs(line, stdout);
    }
    return 0;
}

/* --- ours --- */

static bool never(const struct workload_host *host)
{
    (void)host;
    return false;
}

static bool count_ok(struct workload_batch *batch, const struct workload_outcome *outcome)
{
    (void)batch;
    CHECK(outcome->ok);
    return true;
}

static double bench_workload(const char *self, const char *role, size_t total)
{
    const struct workload_ops *ops = &workload_pipe_ops;
    struct params params = {0};
    struct workload_host host;
    struct err_text error = {""};
    char command[600];
    void *state = NULL;
    void *slot = NULL;
    workload_host_init(&host);
    host.cancelled = never;
    (void)snprintf(command, sizeof(command), "'%.500s' %s", self, role);
    CHECK(params_set(&params, "command", command) == 0);
    CHECK(params_resolve(&params, ops->params, ops->param_count, &error) == 0);
    CHECK(ops->open(&params, &host, &error, &state) == 0);
    CHECK(ops->slot_open(state, &error, &slot) == 0);
    struct workload_item *items = calloc(BATCH, sizeof(*items));
    CHECK(items != NULL);
    double start = seconds_now();
    for (size_t done = 0; done < total;) {
        size_t count = total - done < BATCH ? total - done : BATCH;
        for (size_t i = 0; i < count; i++) {
            items[i] = (struct workload_item){.index = done + i, .number = done + i};
        }
        struct workload_batch batch = {.items = items, .count = count, .done = count_ok};
        ops->run_batch(slot, &batch);
        done += count;
    }
    double seconds = seconds_now() - start;
    free(items);
    ops->slot_close(slot);
    ops->close(state);
    params_deinit(&params);
    return seconds;
}

static double bench_answers(const char *self, size_t total)
{
    return bench_workload(self, "--answer", total);
}

static double bench_held_back(const char *self, size_t total)
{
    return bench_workload(self, "--hold", total);
}

/* --- the plain ones --- */

struct child {
    pid_t pid;
    int in;
    int out;
};

static struct child fork_program(const char *self)
{
    int in[2];
    int out[2];
    CHECK(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
    struct child child = {.pid = fork(), .in = in[1], .out = out[0]};
    CHECK(child.pid >= 0);
    if (child.pid == 0) {
        (void)dup2(in[0], STDIN_FILENO);
        (void)dup2(out[1], STDOUT_FILENO);
        (void)execl(self, self, "--answer", (char *)NULL);
        _exit(127);
    }
    (void)close(in[0]);
    (void)close(out[1]);
    return child;
}

static void end_program(const struct child *child)
{
    (void)close(child->out);
    CHECK(waitpid(child->pid, NULL, 0) == child->pid);
}

struct stream {
    int fd;
    size_t total;
};

static void write_all(int fd, const char *bytes, size_t len)
{
    for (size_t put = 0; put < len;) {
        ssize_t now = write(fd, bytes + put, len - put);
        CHECK(now > 0);
        put += (size_t)now;
    }
}

static void *write_stream(void *arg)
{
    const struct stream *stream = arg;
    static char bytes[BUFFER + NUMBER_MAX + 2];
    size_t len = 0;
    for (size_t i = 0; i < stream->total; i++) {
        len += (size_t)sprintf(bytes + len, "%zu\n", i);
        if (len >= BUFFER) {
            write_all(stream->fd, bytes, len);
            len = 0;
        }
    }
    write_all(stream->fd, bytes, len);
    (void)close(stream->fd);
    return NULL;
}

static double bench_stream(const char *self, size_t total)
{
    static char bytes[2 * BUFFER];
    struct child child = fork_program(self);
    struct stream stream = {.fd = child.in, .total = total};
    pthread_t writer;
    size_t lines = 0;
    double start = seconds_now();
    CHECK(pthread_create(&writer, NULL, write_stream, &stream) == 0);
    for (ssize_t got; (got = read(child.out, bytes, sizeof(bytes))) > 0;) {
        const char *stop = bytes + got;
        for (const char *at = bytes; (at = memchr(at, '\n', (size_t)(stop - at))) != NULL; at++) {
            lines++;
        }
    }
    CHECK(pthread_join(writer, NULL) == 0 && lines == total);
    double seconds = seconds_now() - start;
    end_program(&child);
    return seconds;
}

static double bench_lock_step(const char *self, size_t total)
{
    struct child child = fork_program(self);
    double start = seconds_now();
    for (size_t i = 0; i < total; i++) {
        char line[NUMBER_MAX + 2];
        char answer[NUMBER_MAX + 2];
        int len = snprintf(line, sizeof(line), "%zu\n", i);
        CHECK(write(child.in, line, (size_t)len) == len);
        CHECK(read(child.out, answer, sizeof(answer)) == len);
    }
    double seconds = seconds_now() - start;
    (void)close(child.in);
    end_program(&child);
    return seconds;
}

static double own_cpu(void)
{
    struct rusage usage;
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void measure(const char *name,
                    double (*run)(const char *self, size_t total),
                    const char *self,
                    size_t total)
{
    double cpu = own_cpu();
    double seconds = run(self, total);
    (void)printf("%-20s %8.3f million items/s, %6.0f ns of our CPU each\n",
                 name,
                 (double)total / seconds / 1e6,
                 (own_cpu() - cpu) * 1e9 / (double)total);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--answer") == 0) {
        return answer_lines();
    }
    if (argc > 1 && strcmp(argv[1], "--hold") == 0) {
        return hold_lines();
    }
    size_t total = argc > 1 ? strtoull(argv[1], NULL, 10) : 5000000;
    char self[501];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (total == 0 || len <= 0) {
        (void)fprintf(stderr, "usage: bench_pipe [ITEMS]\n");
        return 2;
    }
    self[len] = '\0';
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    size_t few = total / STEP_SHARE + 1;
    for (int round = 0; round < 3; round++) {
        measure("pipe", bench_answers, self, total);
        measure("pipe, held back", bench_held_back, self, total);
        measure("plain: stream", bench_stream, self, total);
        measure("plain: line by line", bench_lock_step, self, few);
    }
    return 0;
}
