#include "worker/plugin_loader.h"

#include "common/base/check.h"
#include "worker/workloads/plugin.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NS_PER_MS = 1000 * 1000, NS_PER_S = 1000 * NS_PER_MS };

struct plugin_loader {
    struct plugin_loader *next; /* in the list of those that were left */
    pthread_t thread;
    char *path;
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t changed;
    void (*wake)(void *arg);
    void *wake_arg;
    bool done;
    int rc;
    struct err_text error;
    const struct workload_ops *workload;
};

static void *load(void *arg)
{
    struct plugin_loader *loader = arg;
    struct err_text error = {{0}};
    const struct workload_ops *workload = NULL;
    int rc = plugin_load(loader->path, &error, &workload);
    pthread_mutex_lock(&loader->lock);
    loader->rc = rc;
    loader->error = error;
    loader->workload = workload;
    loader->done = true;
    pthread_cond_broadcast(&loader->changed);
    if (loader->wake != NULL) {
        loader->wake(loader->wake_arg);
    }
    pthread_mutex_unlock(&loader->lock);
    return NULL;
}

static void free_memory(struct plugin_loader *loader)
{
    CHECK(pthread_cond_destroy(&loader->changed) == 0);
    CHECK(pthread_mutex_destroy(&loader->lock) == 0);
    free(loader->path);
    free(loader);
}

static void init_lock(struct plugin_loader *loader)
{
    pthread_condattr_t monotonic;
    CHECK(pthread_condattr_init(&monotonic) == 0);
    CHECK(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&loader->changed, &monotonic) == 0);
    CHECK(pthread_condattr_destroy(&monotonic) == 0);
    CHECK(pthread_mutex_init(&loader->lock, NULL) == 0);
}

/* Signals are for the loop's thread. */
static int start_thread(struct plugin_loader *loader)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    int rc = pthread_create(&loader->thread, NULL, load, loader);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return rc;
}

int plugin_loader_start(const char *path,
                        void (*wake)(void *arg),
                        void *arg,
                        struct err_text *ret_error,
                        struct plugin_loader **ret_loader)
{
    struct plugin_loader *loader = calloc(1, sizeof(*loader));
    if (loader == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory to load a plugin");
    }
    init_lock(loader);
    loader->wake = wake;
    loader->wake_arg = arg;
    loader->path = strdup(path);
    if (loader->path == NULL) {
        free_memory(loader);
        return err_set(ret_error, ERR_NOMEM, "no memory to load a plugin");
    }
    int rc = start_thread(loader);
    if (rc != 0) {
        free_memory(loader);
        return err_set(
            ret_error, ERR_IO, "cannot start a thread to load a plugin: %s", strerrordesc_np(rc));
    }
    *ret_loader = loader;
    return 0;
}

bool plugin_loader_done(struct plugin_loader *loader,
                        int *ret_rc,
                        struct err_text *ret_error,
                        const struct workload_ops **ret_workload)
{
    pthread_mutex_lock(&loader->lock);
    bool done = loader->done;
    if (done) {
        *ret_rc = loader->rc;
        *ret_error = loader->error;
        *ret_workload = loader->workload;
    }
    pthread_mutex_unlock(&loader->lock);
    return done;
}

void plugin_loader_leave(struct plugin_loader *loader, struct plugin_loader **list)
{
    pthread_mutex_lock(&loader->lock);
    loader->wake = NULL;
    pthread_mutex_unlock(&loader->lock);
    loader->next = *list;
    *list = loader;
}

static struct timespec deadline_after(uint32_t wait_ms)
{
    struct timespec until;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
    uint64_t ns = (uint64_t)until.tv_nsec + (uint64_t)wait_ms * NS_PER_MS;
    until.tv_sec += (time_t)(ns / NS_PER_S);
    until.tv_nsec = (long)(ns % NS_PER_S);
    return until;
}

static bool await_done(struct plugin_loader *loader, const struct timespec *until)
{
    pthread_mutex_lock(&loader->lock);
    int rc = 0;
    while (!loader->done && rc == 0) {
        rc = pthread_cond_timedwait(&loader->changed, &loader->lock, until);
    }
    bool done = loader->done;
    pthread_mutex_unlock(&loader->lock);
    return done;
}

bool plugin_loader_reap(struct plugin_loader **list, uint32_t wait_ms)
{
    struct timespec until = deadline_after(wait_ms);
    struct plugin_loader **at = list;
    while (*at != NULL) {
        struct plugin_loader *loader = *at;
        if (!await_done(loader, &until)) {
            at = &loader->next;
            continue;
        }
        *at = loader->next;
        CHECK(pthread_join(loader->thread, NULL) == 0);
        free_memory(loader);
    }
    return *list == NULL;
}
