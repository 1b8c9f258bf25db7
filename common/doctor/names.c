#include "common/doctor/names.h"

#include "common/base/check.h"
#include "common/io/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { US_PER_S = 1000 * 1000, US_PER_MS = 1000, NS_PER_US = 1000 };

/* What a thread of its own asks, for getaddrinfo cannot be told to hurry (getaddrinfo_a makes threads that sanitizers do
 * not know of). Whoever comes last, the thread with the answer or the one who did not wait for it, frees it. */
struct question {
    pthread_mutex_t mutex;
    pthread_cond_t answered_now;
    char host[SEEN_ENDPOINT_SIZE];
    char port[8];
    int error;       /* of getaddrinfo */
    int error_errno; /* with EAI_SYSTEM */
    struct addrinfo *answer;
    bool answered;
    bool left; /* nobody waits any more */
};

static bool is_numeric(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1 ||
           strchr(host, '%') != NULL; /* with an interface behind it: fe80::1%eth0 */
}

/* --- the question --- */

static void free_question(struct question *question)
{
    if (question->answer != NULL) {
        freeaddrinfo(question->answer);
    }
    (void)pthread_cond_destroy(&question->answered_now);
    (void)pthread_mutex_destroy(&question->mutex);
    free(question);
}

static void *ask(void *arg)
{
    struct question *question = arg;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *answer = NULL;
    int error = getaddrinfo(question->host, question->port, &hints, &answer);
    int error_errno = errno;
    (void)pthread_mutex_lock(&question->mutex);
    question->error = error;
    question->error_errno = error_errno;
    question->answer = error == 0 ? answer : NULL;
    question->answered = true;
    bool left = question->left;
    (void)pthread_cond_signal(&question->answered_now);
    (void)pthread_mutex_unlock(&question->mutex);
    if (left) {
        free_question(question);
    }
    return NULL;
}

/* NULL: no memory, or no thread. */
static struct question *begin_to_ask(const struct seen *seen)
{
    pthread_t thread;
    pthread_condattr_t attributes;
    struct question *question = calloc(1, sizeof(*question));
    if (question == NULL) {
        return NULL;
    }
    (void)snprintf(question->host, sizeof(question->host), "%s", seen->host);
    (void)snprintf(question->port, sizeof(question->port), "%u", (unsigned)seen->port);
    CHECK(pthread_mutex_init(&question->mutex, NULL) == 0);
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&question->answered_now, &attributes) == 0);
    (void)pthread_condattr_destroy(&attributes);
    if (pthread_create(&thread, NULL, ask, question) != 0) {
        free_question(question);
        return NULL;
    }
    (void)pthread_detach(thread);
    return question;
}

/* Returns whether the answer came by then; otherwise the question is left to its thread. */
static bool await(struct question *question, uint64_t end_us)
{
    const struct timespec end = {.tv_sec = (time_t)(end_us / US_PER_S),
                                 .tv_nsec = (long)(end_us % US_PER_S) * NS_PER_US};
    int rc = 0;
    (void)pthread_mutex_lock(&question->mutex);
    while (!question->answered && rc == 0) {
        rc = pthread_cond_timedwait(&question->answered_now, &question->mutex, &end);
    }
    bool answered = question->answered;
    question->left = !answered;
    (void)pthread_mutex_unlock(&question->mutex);
    return answered;
}

/* --- the answer --- */

void names_order(struct knock_address *addresses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (addresses[i].storage.ss_family == AF_INET6) {
            struct knock_address first = addresses[i];
            memmove(addresses + 1, addresses, i * sizeof(*addresses));
            addresses[0] = first;
            return;
        }
    }
}

static void take_addresses(const struct addrinfo *info,
                           struct seen *seen,
                           struct knock_address *ret_addresses)
{
    for (; info != NULL && seen->address_count < SEEN_ADDRESSES_MAX; info = info->ai_next) {
        struct knock_address *address = &ret_addresses[seen->address_count];
        if (info->ai_addrlen <= sizeof(address->storage)) {
            memcpy(&address->storage, info->ai_addr, info->ai_addrlen);
            address->len = info->ai_addrlen;
            seen->address_count++;
        }
    }
    names_order(ret_addresses, seen->address_count);
}

static void note_error(struct seen *seen, const char *why, bool timeout)
{
    seen->name_timeout = timeout;
    (void)snprintf(seen->name_error, sizeof(seen->name_error), "%s", why);
}

static void take_answer(const struct question *question,
                        struct seen *seen,
                        struct knock_address *ret_addresses)
{
    if (question->error == 0) {
        take_addresses(question->answer, seen, ret_addresses);
    } else if (question->error == EAI_SYSTEM) {
        note_error(seen, strerror(question->error_errno), false);
    } else {
        note_error(seen, gai_strerror(question->error), question->error == EAI_AGAIN);
    }
}

void names_look(struct seen *seen, uint32_t limit_ms, struct knock_address *ret_addresses)
{
    uint64_t begun_us = clock_now_us();
    seen->numeric = is_numeric(seen->host);
    struct question *question = begin_to_ask(seen);
    if (question == NULL) {
        note_error(seen, "no memory or thread to ask with", false);
        return;
    }
    bool answered = await(question, begun_us + (uint64_t)limit_ms * US_PER_MS);
    seen->name_us = clock_now_us() - begun_us;
    if (answered) {
        take_answer(question, seen, ret_addresses);
        free_question(question);
    } else {
        note_error(seen, "no name server answered in time", true);
    }
}
