#include "coordinator/launch/launch_shell.h"

#include "common/base/err.h"
#include "common/base/units.h"
#include "coordinator/launch/shell_words.h"

#include <stdio.h>
#include <string.h>

static const char GREETING[] = "quartet-launch:";

/* No single quote and no line end may be in them. $0 is the worker, "$@" its arguments. */
static const char CONNECT[] = "echo \"quartet-launch: $SSH_CONNECTION\" && IFS= read -r to && "
                              "exec \"$0\" --connect \"$to\" \"$@\"";
static const char ACCESS[] = "echo \"quartet-launch: $SSH_CONNECTION\" && "
                             "exec \"$0\" --access - \"$@\"";

/* --- the command line --- */

const char *launch_shell_script(bool access)
{
    return access ? ACCESS : CONNECT;
}

int launch_shell_command(const char *worker_path,
                         bool access,
                         const char *const *arguments,
                         char *ret_command,
                         size_t size)
{
    struct shell_words words = {.bytes = ret_command, .size = size};
    shell_words_add(&words, "exec sh -c");
    shell_words_quote(&words, launch_shell_script(access));
    shell_words_quote(&words, worker_path);
    for (size_t i = 0; arguments[i] != NULL; i++) {
        shell_words_quote(&words, arguments[i]);
    }
    return words.full ? ERR_INVALID : 0;
}

/* --- the greeting --- */

bool launch_shell_is_greeting(const char *line)
{
    return strncmp(line, GREETING, sizeof(GREETING) - 1) == 0;
}

/* All of it is what an address of IPv4 or IPv6 consists of, with the interface behind a link-local one: fe80::1%eth0. */
static bool is_address(const char *address, size_t len)
{
    static const char digits[] = "0123456789abcdefABCDEF.:";
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t numeric = strspn(address, digits);
    if (numeric == 0 || numeric >= len) {
        return numeric > 0;
    }
    return address[numeric] == '%' && strspn(address + numeric + 1, letters) + numeric + 1 >= len;
}

static int format_endpoint(const char *host, size_t len, uint16_t port, char *ret_endpoint)
{
    bool colons = memchr(host, ':', len) != NULL && host[0] != '[';
    int written = snprintf(ret_endpoint,
                           LAUNCH_ENDPOINT_SIZE,
                           colons ? "tcp://[%.*s]:%u" : "tcp://%.*s:%u",
                           (int)len,
                           host,
                           port);
    return written < 0 || written >= LAUNCH_ENDPOINT_SIZE ? ERR_INVALID : 0;
}

int launch_shell_endpoint(const char *greeting, uint16_t port, char *ret_endpoint)
{
    const char *address = greeting + sizeof(GREETING) - 1;
    address += strspn(address, " ");
    size_t len = strcspn(address, " ");
    if (len == 0) {
        return ERR_NOT_FOUND;
    }
    if (len >= LAUNCH_ENDPOINT_SIZE || !is_address(address, len)) {
        return ERR_INVALID;
    }
    return format_endpoint(address, len, port, ret_endpoint);
}

int launch_shell_advertised(const char *advertise, uint16_t port, char *ret_endpoint)
{
    const char *colon = strrchr(advertise, ':');
    const char *bracket = strrchr(advertise, ']');
    size_t len = strlen(advertise);
    uint64_t own = port;
    if (colon != NULL && strchr(advertise, ':') != colon && advertise[0] != '[') {
        return ERR_INVALID; /* an address of IPv6 without brackets: where does it end? */
    }
    if (colon != NULL && (bracket == NULL || colon > bracket)) {
        len = (size_t)(colon - advertise);
        if (units_parse_u64(colon + 1, UINT16_MAX, &own) != 0 || own == 0) {
            return ERR_INVALID;
        }
    }
    if (len == 0 || len >= LAUNCH_ENDPOINT_SIZE || strcspn(advertise, "/ *\t\n") < len) {
        return ERR_INVALID;
    }
    return format_endpoint(advertise, len, (uint16_t)own, ret_endpoint);
}
