#include "common/doctor/names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MS_PER_S = 1000, US_PER_MS = 1000, NS_PER_MS = 1000 * 1000 };

/* What is asked, for as long as a thread of the C library may still write into it. */
struct question {
    struct gaicb request;
    struct addrinfo hints;
    char host[SEEN_ENDPOINT_SIZE];
    char port[8];
};

static uint64_t now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * MS_PER_S * US_PER_MS + (uint64_t)now.tv_nsec / 1000;
}

static bool is_numeric(const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1 ||
           strchr(host, '%') != NULL; /* with an interface behind it: fe80::1%eth0 */
}

static struct question *ask(const struct seen *seen)
{
    struct question *question = calloc(1, sizeof(*question));
    if (question == NULL) {
        return NULL;
    }
    (void)snprintf(question->host, sizeof(question->host), "%s", seen->host);
    (void)snprintf(question->port, sizeof(question->port), "%u", (unsigned)seen->port);
    question->hints = (struct addrinfo){.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    question->request = (struct gaicb){
        .ar_name = question->host, .ar_service = question->port, .ar_request = &question->hints};
    struct gaicb *list[] = {&question->request};
    if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL) != 0) {
        free(question);
        return NULL;
    }
    return question;
}

/* Wait for the answer. False: none came in time, and the question is left to the thread that asks it. */
static bool await(struct question *question, uint32_t limit_ms)
{
    const struct gaicb *list[] = {&question->request};
    uint64_t end_us = now_us() + (uint64_t)limit_ms * US_PER_MS;
    while (gai_error(&question->request) == EAI_INPROGRESS) {
        uint64_t at_us = now_us();
        if (at_us >= end_us) {
            return gai_cancel(&question->request) == EAI_CANCELED;
        }
        uint64_t left_ms = (end_us - at_us + US_PER_MS - 1) / US_PER_MS;
        const struct timespec left = {.tv_sec = (time_t)(left_ms / MS_PER_S),
                                      .tv_nsec = (long)(left_ms % MS_PER_S) * NS_PER_MS};
        (void)gai_suspend(list, 1, &left);
    }
    return true;
}

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

static void note_error(struct seen *seen, int error)
{
    seen->name_timeout = error == EAI_AGAIN || error == EAI_INPROGRESS;
    (void)snprintf(seen->name_error,
                   sizeof(seen->name_error),
                   "%s",
                   error == EAI_SYSTEM       ? strerror(errno)
                   : error == EAI_INPROGRESS ? "no name server answered in time"
                                             : gai_strerror(error));
}

void names_look(struct seen *seen, uint32_t limit_ms, struct knock_address *ret_addresses)
{
    uint64_t begun_us = now_us();
    seen->numeric = is_numeric(seen->host);
    struct question *question = ask(seen);
    if (question == NULL) {
        note_error(seen, EAI_MEMORY);
        return;
    }
    bool answered = await(question, limit_ms);
    int error = gai_error(&question->request);
    seen->name_us = now_us() - begun_us;
    if (error != 0) {
        note_error(seen, error == EAI_CANCELED ? EAI_INPROGRESS : error);
    } else {
        take_addresses(question->request.ar_result, seen, ret_addresses);
        freeaddrinfo(question->request.ar_result);
    }
    if (answered) {
        free(question);
    }
}
