#include "common/doctor/hops.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netdb.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    HOPS_MAX = 24,
    HOP_WAIT_MS = 300,
    SILENT_MAX = 3,        /* hops in a row that say nothing: the rest will not, either */
    UNLIKELY_PORT = 33434, /* where nobody listens, by custom (traceroute) */
    FAR = 64,
    SILENCE_MS = 2300,
};

enum hops_meaning hops_meaning(bool ipv6, unsigned type, unsigned code)
{
    if (ipv6) {
        return type == ICMP6_TIME_EXCEEDED        ? HOPS_MEANS_PASSED
               : type != ICMP6_DST_UNREACH        ? HOPS_MEANS_NOTHING
               : code == ICMP6_DST_UNREACH_NOPORT ? HOPS_MEANS_THERE
               : code == ICMP6_DST_UNREACH_ADMIN || code == 5 /* RFC 4443 */ || code == 6
                   ? HOPS_MEANS_FORBIDDEN
                   : HOPS_MEANS_NO_WAY;
    }
    if (type == ICMP_TIME_EXCEEDED) {
        return HOPS_MEANS_PASSED;
    }
    if (type != ICMP_DEST_UNREACH) {
        return HOPS_MEANS_NOTHING;
    }
    switch (code) {
    case ICMP_PORT_UNREACH:
    case ICMP_PROT_UNREACH:
        return HOPS_MEANS_THERE;
    case ICMP_NET_ANO:
    case ICMP_HOST_ANO:
    case ICMP_PKT_FILTERED:
        return HOPS_MEANS_FORBIDDEN;
    default:
        return HOPS_MEANS_NO_WAY;
    }
}

/* --- one packet --- */

struct answer {
    enum hops_meaning meaning;
    char from[SEEN_ADDRESS_SIZE];
};

static int open_socket(const struct knock_address *address, int hops)
{
    const int yes = 1;
    bool ipv6 = address->storage.ss_family == AF_INET6;
    int level = ipv6 ? IPPROTO_IPV6 : IPPROTO_IP;
    int fd = socket(address->storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 &&
        (setsockopt(fd, level, ipv6 ? IPV6_RECVERR : IP_RECVERR, &yes, sizeof(yes)) != 0 ||
         setsockopt(fd, level, ipv6 ? IPV6_UNICAST_HOPS : IP_TTL, &hops, sizeof(hops)) != 0)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static bool send_one(int fd, const struct knock_address *address)
{
    struct sockaddr_storage to = address->storage;
    if (to.ss_family == AF_INET6) {
        ((struct sockaddr_in6 *)&to)->sin6_port = htons(UNLIKELY_PORT);
    } else {
        ((struct sockaddr_in *)&to)->sin_port = htons(UNLIKELY_PORT);
    }
    return sendto(fd, "", 1, MSG_NOSIGNAL, (struct sockaddr *)&to, address->len) == 1;
}

static void read_error(const struct cmsghdr *head, struct answer *ret_answer)
{
    struct sock_extended_err error;
    memcpy(&error, CMSG_DATA(head), sizeof(error));
    if (error.ee_origin != SO_EE_ORIGIN_ICMP && error.ee_origin != SO_EE_ORIGIN_ICMP6) {
        return; /* of this host's own */
    }
    bool ipv6 = error.ee_origin == SO_EE_ORIGIN_ICMP6;
    struct sockaddr_storage from = {0};
    socklen_t len = ipv6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    /* SO_EE_OFFENDER: it lies behind the error. */
    if (head->cmsg_len < CMSG_LEN(sizeof(error) + len)) {
        return;
    }
    memcpy(&from, CMSG_DATA(head) + sizeof(error), len);
    ret_answer->meaning = hops_meaning(ipv6, error.ee_type, error.ee_code);
    (void)getnameinfo((struct sockaddr *)&from,
                      len,
                      ret_answer->from,
                      sizeof(ret_answer->from),
                      NULL,
                      0,
                      NI_NUMERICHOST);
}

static void read_errors(int fd, struct answer *ret_answer)
{
    char control[512];
    char data[64];
    struct iovec part = {.iov_base = data, .iov_len = sizeof(data)};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
        return;
    }
    for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head != NULL;
         head = CMSG_NXTHDR(&message, head)) {
        if ((head->cmsg_level == IPPROTO_IP && head->cmsg_type == IP_RECVERR) ||
            (head->cmsg_level == IPPROTO_IPV6 && head->cmsg_type == IPV6_RECVERR)) {
            read_error(head, ret_answer);
        }
    }
}

static struct answer ask(const struct knock_address *address, int hops)
{
    struct answer answer = {.meaning = HOPS_MEANS_NOTHING};
    int fd = open_socket(address, hops);
    if (fd < 0) {
        return answer;
    }
    struct pollfd item = {.fd = fd, .events = POLLIN};
    if (send_one(fd, address) && poll(&item, 1, HOP_WAIT_MS) > 0) {
        read_errors(fd, &answer);
    }
    (void)close(fd);
    return answer;
}

/* --- the way --- */

static void note(struct seen_way *way,
                 enum seen_hops hops,
                 unsigned hop,
                 const struct answer *answer)
{
    way->hops = hops;
    way->hop = hop;
    way->forbidden = answer->meaning == HOPS_MEANS_FORBIDDEN;
    (void)snprintf(way->address, sizeof(way->address), "%s", answer->from);
}

/* Does one of them say no, or the address itself yes? */
static bool is_final(struct seen_way *way, unsigned hop, const struct answer *answer)
{
    if (answer->meaning == HOPS_MEANS_THERE) {
        note(way, HOPS_ARRIVED, hop, answer);
        return true;
    }
    if (answer->meaning == HOPS_MEANS_FORBIDDEN || answer->meaning == HOPS_MEANS_NO_WAY) {
        note(way, HOPS_REFUSED, hop, answer);
        return true;
    }
    return false;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Of the address itself, or of whoever does not let us go there. Linux, as a router, says so once in two seconds, and asking in
 * between puts that off. */
static struct answer ask_far(const struct knock_address *address, bool again)
{
    struct answer answer = ask(address, FAR);
    if (again && answer.meaning == HOPS_MEANS_NOTHING) {
        (void)poll(NULL, 0, SILENCE_MS);
        answer = ask(address, FAR);
    }
    return answer;
}

void hops_look(const struct knock_address *address,
               bool refused,
               uint32_t limit_ms,
               struct seen_way *ret_way)
{
    uint64_t end_ms = now_ms() + limit_ms;
    unsigned silent = 0;
    struct answer answer = ask_far(address, refused && limit_ms > SILENCE_MS);
    *ret_way = (struct seen_way){.hops = HOPS_NONE};
    if (is_final(ret_way, FAR, &answer)) {
        return;
    }
    for (unsigned hop = 1; hop <= HOPS_MAX && silent < SILENT_MAX && now_ms() < end_ms; hop++) {
        answer = ask(address, (int)hop);
        if (is_final(ret_way, hop, &answer)) {
            return;
        }
        silent = answer.meaning == HOPS_MEANS_PASSED ? 0 : silent + 1;
        if (answer.meaning == HOPS_MEANS_PASSED) {
            note(ret_way, HOPS_LAST, hop, &answer);
        }
    }
}
