/* The way to an endpoint, as far as a connection: see diagnose.h. */
#include "common/base/units.h"
#include "common/doctor/diagnose.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    NAME_SLOW_US = 2 * 1000 * 1000,
    /* After so long it is the kernel that has asked for the hardware's address in vain, three times. */
    NEIGHBOUR_LIMIT_US = 900 * 1000,
};

/* --- form --- */

bool diagnose_form(const struct seen *seen, struct findings *findings)
{
    struct finding *finding;
    switch (seen->form) {
    case FORM_TCP:
    case FORM_IPC:
        return true;
    case FORM_EVERY_ADDRESS:
        finding = findings_add(
            findings,
            HEALTH_FAIL,
            "endpoint",
            "'%s' means every address of the one who listens, and is no place to go to",
            seen->host);
        finding_advise(finding,
                       "name an address of the coordinator's host: tcp://ADDRESS:%u",
                       (unsigned)seen->port);
        return false;
    case FORM_BAD_PORT:
        finding = findings_add(findings, HEALTH_FAIL, "endpoint", "it has no port from 1 to 65535");
        finding_advise(finding,
                       "the coordinator says which it has: 'listening on tcp://ADDRESS:PORT'");
        return false;
    case FORM_NONE:
        break;
    }
    finding = findings_add(findings, HEALTH_FAIL, "endpoint", "this is no endpoint");
    finding_advise(
        finding, "one is like tcp://ADDRESS:PORT, tcp://[2001:db8::7]:PORT or ipc:///run/quartet");
    return false;
}

/* --- name --- */

static void list_addresses(const struct seen *seen, char *ret_text, size_t size)
{
    size_t len = 0;
    ret_text[0] = '\0';
    for (size_t i = 0; i < seen->address_count && len < size; i++) {
        int added = snprintf(ret_text + len,
                             size - len,
                             "%s%s",
                             i == 0                         ? ""
                             : i + 1 == seen->address_count ? " and "
                                                            : ", ",
                             seen->addresses[i].text);
        len += added > 0 ? (size_t)added : 0;
    }
}

static void name_is_known(const struct seen *seen, struct findings *findings)
{
    char list[200];
    char took[UNITS_TEXT_SIZE];
    bool slow = seen->name_us >= NAME_SLOW_US;
    list_addresses(seen, list, sizeof(list));
    struct finding *finding = findings_add(findings,
                                           slow ? HEALTH_WARN : HEALTH_OK,
                                           "name",
                                           "%.120s is %s, which took %s to find out",
                                           seen->host,
                                           list,
                                           units_format_seconds((double)seen->name_us / 1e6, took));
    finding_measure(finding, "took_s", (double)seen->name_us / 1e6);
    if (slow) {
        finding_advise(finding,
                       "each start of a worker waits so long: a name server in /etc/resolv.conf of "
                       "this host does "
                       "not answer, or give the address itself (--advertise ADDRESS)");
    }
}

bool diagnose_name(const struct seen *seen, struct findings *findings)
{
    if (seen->numeric || seen->form == FORM_IPC) {
        return true;
    }
    if (seen->name_error[0] == '\0') {
        name_is_known(seen, findings);
        return true;
    }
    struct finding *finding = findings_add(findings,
                                           HEALTH_FAIL,
                                           "name",
                                           "'%.120s' leads to no address on this host: %s",
                                           seen->host,
                                           seen->name_error);
    finding_advise(finding,
                   seen->name_timeout
                       ? "the name servers in /etc/resolv.conf of this host do not answer: correct "
                         "them, or have the "
                         "coordinator give its address (quartet run --advertise ADDRESS)"
                       : "correct the name, add it to DNS or to /etc/hosts of this host, or have "
                         "the coordinator give "
                         "its address (quartet run --advertise ADDRESS)");
    return false;
}

/* --- route --- */

/* Another address of the same name that this host knows a way to; NULL: there is none. */
static const struct seen_address *find_routed(const struct seen *seen)
{
    for (size_t i = 1; i < seen->address_count; i++) {
        if (seen->addresses[i].route_error == 0) {
            return &seen->addresses[i];
        }
    }
    return NULL;
}

static void advise_on_route(const struct seen *seen, struct finding *finding)
{
    const struct seen_address *other = find_routed(seen);
    if (other != NULL) {
        finding_advise(finding,
                       "a worker takes one address of a name, IPv6 before IPv4, and there is a "
                       "way to %s: have the coordinator give that (--advertise '%s')",
                       other->text,
                       other->text);
    } else {
        finding_advise(finding,
                       "'ip route get %s' here shows it: is the interface up, is a gateway "
                       "missing? Or have the coordinator give an address that this host can reach "
                       "(--advertise ADDRESS)",
                       seen->addresses[0].text);
    }
}

bool diagnose_route(const struct seen *seen, struct findings *findings)
{
    if (seen->form == FORM_IPC) {
        return true;
    }
    const struct seen_address *first = &seen->addresses[0];
    if (first->route_error == 0) {
        (void)findings_add(
            findings, HEALTH_OK, "route", "%s is reached from %s", first->text, first->source);
        return true;
    }
    struct finding *finding = findings_add(findings,
                                           HEALTH_FAIL,
                                           "route",
                                           "there is none from this host to %s: %s",
                                           first->text,
                                           strerror(first->route_error));
    advise_on_route(seen, finding);
    return false;
}

/* --- port --- */

static void say_refused(const struct seen *seen,
                        const struct seen_address *address,
                        struct findings *findings)
{
    struct finding *finding = findings_add(
        findings,
        HEALTH_FAIL,
        "port",
        "%s refuses connections to port %u: nobody listens there, or a "
        "firewall says so in its name",
        address->text,
        (unsigned)seen->port);
    finding_advise(
        finding,
        "is the coordinator running, on that host and that port ('ss -ltn' there)? If it is, look "
        "for a firewall's rule that rejects with a reset");
}

static void say_dropped(const struct seen *seen,
                        const struct seen_address *address,
                        struct findings *findings)
{
    char took[UNITS_TEXT_SIZE];
    char way[SEEN_ADDRESS_SIZE + 128] = "";
    if (address->way.hops == HOPS_ARRIVED) {
        (void)snprintf(way, sizeof(way), "; that host answers otherwise, so it is up");
    } else if (address->way.hops == HOPS_LAST) {
        (void)snprintf(way,
                       sizeof(way),
                       "; the last that is heard of on the way is hop %u, %s",
                       address->way.hop,
                       address->way.address);
    }
    struct finding *finding = findings_add(
        findings,
        HEALTH_FAIL,
        "port",
        "nobody answered a connection to %s port %u for %s: packets are dropped%s",
        address->text,
        (unsigned)seen->port,
        units_format_seconds((double)address->took_us / 1e6, took),
        way);
    if (address->way.hops == HOPS_ARRIVED) {
        finding_advise(
            finding,
            "a firewall drops this port: open TCP port %u, inbound, on the coordinator's host or "
            "in its security group, or listen on a port that is open (--listen 'tcp://*:PORT')",
            (unsigned)seen->port);
    } else {
        finding_advise(
            finding,
            "is the host up and the address right? Then a firewall drops it: open TCP port %u, "
            "inbound, on "
            "the coordinator's host and between, or listen on a port that is open (--listen "
            "'tcp://*:PORT')",
            (unsigned)seen->port);
    }
}

/* An ICMP message came back, or none of our own network knows that address. */
static void say_unreachable(const struct seen *seen,
                            const struct seen_address *address,
                            struct findings *findings)
{
    const struct seen_way *way = &address->way;
    bool neighbour = way->hops != HOPS_REFUSED && address->took_us >= NEIGHBOUR_LIMIT_US;
    struct finding *finding;
    if (way->hops == HOPS_REFUSED) {
        finding = findings_add(
            findings,
            HEALTH_FAIL,
            "port",
            "%s, %s, refuses what is sent to %s port %u: %s",
            way->address,
            strcmp(way->address, address->text) == 0 ? "the host itself" : "on the way",
            address->text,
            (unsigned)seen->port,
            way->forbidden ? "a rule of a firewall forbids it" : "it knows no way there");
    } else if (neighbour) {
        finding = findings_add(findings,
                               HEALTH_FAIL,
                               "port",
                               "nobody on this network has the address %s: %s",
                               address->text,
                               strerror(address->error));
    } else if (way->hops == HOPS_ARRIVED) {
        finding = findings_add(
            findings,
            HEALTH_FAIL,
            "port",
            "%s is up, and a firewall there or on the way rejects what is sent to its port %u: %s",
            address->text,
            (unsigned)seen->port,
            strerror(address->error));
    } else {
        finding = findings_add(
            findings,
            HEALTH_FAIL,
            "port",
            "what is sent to %s port %u is refused at once by that host or on the way to it: %s",
            address->text,
            (unsigned)seen->port,
            strerror(address->error));
    }
    if (neighbour) {
        finding_advise(finding, "is the host up, its cable in, and the address right?");
    } else {
        finding_advise(finding,
                       "a firewall rejects it: allow TCP port %u, inbound, there; or a router has "
                       "no way to it",
                       (unsigned)seen->port);
    }
}

static void say_forbidden_here(const struct seen *seen,
                               const struct seen_address *address,
                               struct findings *findings)
{
    struct finding *finding = findings_add(
        findings,
        HEALTH_FAIL,
        "port",
        "this host itself does not let us connect to %s port %u: %s",
        address->text,
        (unsigned)seen->port,
        strerror(address->error));
    finding_advise(finding,
                   "allow it in this host's own firewall (outbound), or its security module");
}

static void say_failed(const struct seen *seen,
                       const struct seen_address *address,
                       struct findings *findings)
{
    switch (address->error) {
    case ECONNREFUSED:
        say_refused(seen, address, findings);
        break;
    case ETIMEDOUT:
        say_dropped(seen, address, findings);
        break;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
        say_unreachable(seen, address, findings);
        break;
    case EPERM:
    case EACCES:
        say_forbidden_here(seen, address, findings);
        break;
    default:
        (void)findings_add(findings,
                           HEALTH_FAIL,
                           "port",
                           "no connection to %s port %u: %s",
                           address->text,
                           (unsigned)seen->port,
                           strerror(address->error));
    }
}

static bool port_of_ipc(const struct seen *seen, struct findings *findings)
{
    const struct seen_address *first = &seen->addresses[0];
    if (seen->end != ZDIAL_UNREACHED || first->knock == KNOCK_CONNECTED) {
        (void)findings_add(findings, HEALTH_OK, "port", "%.200s took the connection", seen->host);
        return true;
    }
    struct finding *finding = findings_add(findings,
                                           HEALTH_FAIL,
                                           "port",
                                           "no connection to %.200s: %s",
                                           seen->host,
                                           strerror(first->error));
    finding_advise(
        finding,
        first->error == EACCES
            ? "run the worker as the user of the coordinator"
            : "is the coordinator running, on this machine, and listening at this very path?");
    return false;
}

/* Only the first address of a name is the one that a worker tries. */
static void say_of_others(const struct seen *seen, struct findings *findings)
{
    for (size_t i = 1; i < seen->address_count; i++) {
        if (seen->addresses[i].knock == KNOCK_CONNECTED) {
            struct finding *finding = findings_add(
                findings,
                HEALTH_WARN,
                "port",
                "%s, another address of that name, takes connections",
                seen->addresses[i].text);
            finding_advise(
                finding,
                "a worker tries only the first address of a name: have the coordinator give this "
                "one (--advertise '%s')",
                seen->addresses[i].text);
            return;
        }
    }
}

bool diagnose_port(const struct seen *seen, struct findings *findings)
{
    const struct seen_address *first = &seen->addresses[0];
    char took[UNITS_TEXT_SIZE];
    if (seen->form == FORM_IPC) {
        return port_of_ipc(seen, findings);
    }
    if (seen->end == ZDIAL_UNREACHED && first->knock == KNOCK_FAILED) {
        say_failed(seen, first, findings);
        say_of_others(seen, findings);
        return false;
    }
    if (seen->end == ZDIAL_UNREACHED && first->knock == KNOCK_NONE) {
        (void)findings_add(findings,
                           HEALTH_FAIL,
                           "port",
                           "there was no time left to look why there is no connection");
        return false;
    }
    uint64_t took_us = seen->end == ZDIAL_UNREACHED ? first->took_us : seen->connect_us;
    struct finding *finding = findings_add(findings,
                                           HEALTH_OK,
                                           "port",
                                           "%s port %u takes connections, in %s",
                                           first->text,
                                           (unsigned)seen->port,
                                           units_format_seconds((double)took_us / 1e6, took));
    finding_measure(finding, "took_s", (double)took_us / 1e6);
    return true;
}
