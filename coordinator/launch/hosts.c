#include "coordinator/launch/hosts.h"

#include "common/base/check.h"
#include "common/base/units.h"
#include "worker/engine/engine.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { QUOTED_MAX = 80 };

/* A part of the text. */
struct span {
    const char *at;
    size_t len;
};

static bool is_separator(char c)
{
    return c == ',' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool consists_of(struct span part, const char *others)
{
    for (size_t i = 0; i < part.len; i++) {
        if (!is_alnum(part.at[i]) && (part.at[i] == '\0' || strchr(others, part.at[i]) == NULL)) {
            return false;
        }
    }
    return part.len > 0 && part.at[0] != '-';
}

static int refuse(struct span word, const char *why, struct err_text *ret_error)
{
    int shown = word.len < QUOTED_MAX ? (int)word.len : QUOTED_MAX;
    return err_set(ret_error, ERR_INVALID, "'%.*s' names no host: %s", shown, word.at, why);
}

/* The last `c` of `part`; NULL: there is none. */
static const char *last_of(struct span part, char c)
{
    return part.len == 0 ? NULL : memrchr(part.at, c, part.len);
}

static struct span before(struct span part, const char *at)
{
    return (struct span){part.at, (size_t)(at - part.at)};
}

static struct span behind(struct span part, const char *at)
{
    return (struct span){at + 1, part.len - (size_t)(at + 1 - part.at)};
}

static int parse_number(struct span digits, uint64_t max, uint64_t *ret_value)
{
    char text[UNITS_TEXT_SIZE];
    if (digits.len >= sizeof(text)) {
        return ERR_INVALID;
    }
    memcpy(text, digits.at, digits.len);
    text[digits.len] = '\0';
    int rc = strlen(text) == digits.len ? units_parse_u64(text, max, ret_value) : ERR_INVALID;
    return rc == 0 && *ret_value == 0 ? ERR_INVALID : rc;
}

/* Takes "8/" off the front of `rest`. */
static int take_slots(struct span word,
                      struct span *rest,
                      struct host *host,
                      struct err_text *ret_error)
{
    const char *slash = memchr(rest->at, '/', rest->len);
    uint64_t slots = 0;
    if (slash == NULL) {
        return 0;
    }
    if (parse_number(before(*rest, slash), ENGINE_SLOTS_MAX, &slots) != 0) {
        return refuse(
            word,
            "before '/' stand the items at once there, as in 8/host (a file of hosts that "
            "is not there?)",
            ret_error);
    }
    host->slots = (uint32_t)slots;
    *rest = behind(*rest, slash);
    return 0;
}

/* Takes ":2222" off the end of `rest`. Colons of an address stand in brackets, before. */
static int take_port(struct span word,
                     struct span *rest,
                     struct host *host,
                     struct err_text *ret_error)
{
    const char *colon = last_of(*rest, ':');
    const char *bracket = last_of(*rest, ']');
    uint64_t port = 0;
    if (colon == NULL || (bracket != NULL && bracket > colon)) {
        return 0;
    }
    if (bracket == NULL && memchr(rest->at, ':', (size_t)(colon - rest->at)) != NULL) {
        return refuse(word, "write an IPv6 address in brackets, as in [::1]:22", ret_error);
    }
    if (parse_number(behind(*rest, colon), UINT16_MAX, &port) != 0) {
        return refuse(word, "behind ':' stands a port from 1 to 65535", ret_error);
    }
    host->port = (uint16_t)port;
    *rest = before(*rest, colon);
    return 0;
}

/* "user@host" or "user@[address]", to "user@host" and "user@address". */
static int take_target(struct span word,
                       struct span rest,
                       struct host *host,
                       struct err_text *ret_error)
{
    const char *at = last_of(rest, '@');
    struct span user = {rest.at, 0};
    struct span name = rest;
    if (at != NULL) {
        user = before(rest, at);
        name = behind(rest, at);
        if (!consists_of(user, "._-+\\@")) {
            return refuse(word, "before '@' stands the name of a user", ret_error);
        }
    }
    bool address = name.len > 2 && name.at[0] == '[' && name.at[name.len - 1] == ']';
    if (address) {
        name = (struct span){name.at + 1, name.len - 2};
    }
    if (!consists_of(name, address ? ".:%_-" : "._-")) {
        return refuse(word,
                      "a host is letters, digits, '.', '-' and '_', or an address in brackets",
                      ret_error);
    }
    size_t user_len = at == NULL ? 0 : user.len + 1; /* with its '@' */
    CHECK(user_len + name.len < sizeof(host->target));
    memcpy(host->target, rest.at, user_len);
    memcpy(host->target + user_len, name.at, name.len);
    return 0;
}

static int parse_word(struct span word, struct host *host, struct err_text *ret_error)
{
    struct span rest = word;
    *host = (struct host){.port = 0};
    int rc = take_slots(word, &rest, host, ret_error);
    if (rc == 0 && rest.len > HOST_NAME_MAX_BYTES) {
        rc = refuse(word, "it is longer than 120 bytes", ret_error);
    }
    if (rc != 0) {
        return rc;
    }
    memcpy(host->name, rest.at, rest.len);
    rc = take_port(word, &rest, host, ret_error);
    return rc != 0 ? rc : take_target(word, rest, host, ret_error);
}

/* The next word from `*at` on; of length 0 at the end. */
static struct span next_word(const char *end, const char **at)
{
    while (*at < end && (is_separator(**at) || **at == '#')) {
        const char *line_end = **at == '#' ? memchr(*at, '\n', (size_t)(end - *at)) : *at;
        *at = line_end == NULL ? end : line_end + 1;
    }
    struct span word = {*at, 0};
    while (*at < end && !is_separator(**at)) {
        (*at)++;
    }
    word.len = (size_t)(*at - word.at);
    return word;
}

/* Two launches under one name could not be told apart. */
static bool is_listed(const struct hosts *hosts, const struct host *host)
{
    for (size_t i = 0; i < hosts->count; i++) {
        if (strcmp(hosts->list[i].name, host->name) == 0) {
            return true;
        }
    }
    return false;
}

static int add(struct hosts *hosts, const struct host *host, struct err_text *ret_error)
{
    if (is_listed(hosts, host)) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "host '%s' is listed twice: for more items at once write N/%s",
                       host->name,
                       host->name);
    }
    if (hosts->count == HOSTS_MAX) {
        return err_set(ret_error, ERR_INVALID, "more than %d hosts are listed", HOSTS_MAX);
    }
    if ((hosts->count & (hosts->count - 1)) == 0) { /* full: it doubles */
        size_t capacity = hosts->count == 0 ? 1 : hosts->count * 2;
        struct host *list = realloc(hosts->list, capacity * sizeof(*list));
        if (list == NULL) {
            return err_set(ret_error, ERR_NOMEM, "no memory for the list of hosts");
        }
        hosts->list = list;
    }
    hosts->list[hosts->count++] = *host;
    return 0;
}

int hosts_parse(const char *text, size_t len, struct err_text *ret_error, struct hosts *ret_hosts)
{
    struct hosts hosts = {.list = NULL};
    const char *at = text;
    int rc = 0;
    for (;;) {
        struct host host;
        struct span word = next_word(text + len, &at);
        if (word.len == 0) {
            break;
        }
        rc = parse_word(word, &host, ret_error);
        rc = rc != 0 ? rc : add(&hosts, &host, ret_error);
        if (rc != 0) {
            goto out;
        }
    }
    if (hosts.count == 0) {
        rc = err_set(ret_error, ERR_INVALID, "no host is listed");
        goto out;
    }
    *ret_hosts = hosts;
    return 0;
out:
    hosts_deinit(&hosts);
    return rc;
}

void hosts_deinit(struct hosts *hosts)
{
    free(hosts->list);
    *hosts = (struct hosts){.list = NULL};
}
