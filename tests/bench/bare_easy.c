/* Bare libcurl, one blocking download at a time in each of N threads or N processes (one thread: one after another). What the
 * strategies serial, threads and processes could be at best.
 *
 * Each worker has one handle, and takes the next URL from a counter that all share. Threads and processes are made before the clock
 * starts and are not waited for before it stops: a barrier is at either end. */
#include "tests/bench/bare.h"
#include "tests/bench/bare_http.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS_MAX = 1024 };

static const char usage[] = "bare_easy threads|processes N URLS_FILE";

/* In memory that processes share. */
struct shared {
    pthread_barrier_t begin;
    pthread_barrier_t end;
    atomic_size_t next;
    atomic_uint_fast64_t failed;
    atomic_uint_fast64_t bytes;
    struct bare_urls urls; /* read before the first fork */
};

static void *work(void *arg)
{
    struct shared *shared = arg;
    uint64_t bytes = 0;
    uint64_t failed = 0;
    CURL *handle = bare_http_handle(&bytes);
    (void)pthread_barrier_wait(&shared->begin);
    size_t i = 0;
    while ((i = atomic_fetch_add(&shared->next, 1)) < shared->urls.count) {
        (void)curl_easy_setopt(handle, CURLOPT_URL, shared->urls.list[i]);
        failed += bare_http_ok(handle, curl_easy_perform(handle)) ? 0 : 1;
    }
    atomic_fetch_add(&shared->bytes, bytes);
    atomic_fetch_add(&shared->failed, failed);
    (void)pthread_barrier_wait(&shared->end);
    curl_easy_cleanup(handle);
    return NULL;
}

static struct shared *share(unsigned workers)
{
    struct shared *shared = mmap(
        NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        bare_fail("mmap", NULL);
    }
    pthread_barrierattr_t attributes;
    (void)pthread_barrierattr_init(&attributes);
    (void)pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    (void)pthread_barrier_init(&shared->begin, &attributes, workers + 1);
    (void)pthread_barrier_init(&shared->end, &attributes, workers + 1);
    return shared;
}

/* Returns the seconds from the first request to the last answer. */
static double time_work(struct shared *shared)
{
    (void)pthread_barrier_wait(&shared->begin);
    uint64_t begin_ns = bare_now_ns();
    (void)pthread_barrier_wait(&shared->end);
    return (double)(bare_now_ns() - begin_ns) / 1e9;
}

static double run_threads(struct shared *shared, unsigned count)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    pthread_t threads[WORKERS_MAX];
    for (unsigned i = 0; i < count; i++) {
        if (pthread_create(&threads[i], NULL, work, shared) != 0) {
            bare_fail("pthread_create", "refused");
        }
    }
    double wall_s = time_work(shared);
    for (unsigned i = 0; i < count; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    curl_global_cleanup();
    return wall_s;
}

static double run_processes(struct shared *shared, unsigned count)
{
    pid_t parent = getpid();
    for (unsigned i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid < 0) {
            bare_fail("fork", NULL);
        }
        if (pid == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() == parent) {
                (void)curl_global_init(CURL_GLOBAL_DEFAULT); /* it would not survive a fork */
                (void)work(shared);
            }
            _exit(0);
        }
    }
    double wall_s = time_work(shared);
    while (wait(NULL) > 0) {
    }
    return wall_s;
}

int main(int argc, char **argv)
{
    bool threads = argc == 4 && strcmp(argv[1], "threads") == 0;
    if (!threads && (argc != 4 || strcmp(argv[1], "processes") != 0)) {
        (void)fprintf(stderr, "usage: %s\n", usage);
        return 2;
    }
    unsigned count = (unsigned)bare_number(argv[2], WORKERS_MAX, usage);
    struct shared *shared = share(count);
    bare_urls_read(argv[3], &shared->urls);
    double wall_s = threads ? run_threads(shared, count) : run_processes(shared, count);
    bare_http_print(shared->urls.count, shared->failed, shared->bytes, wall_s);
    bare_urls_free(&shared->urls);
    (void)munmap(shared, sizeof(*shared));
    return 0;
}
