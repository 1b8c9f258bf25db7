/* quartet origin: serve HTTP to download from until a signal comes. */
#include "common/base/units.h"
#include "common/io/parent.h"
#include "coordinator/commands.h"
#include "coordinator/origin/origin.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_MAX = 65535 };

struct listen_address {
    char address[INET6_ADDRSTRLEN];
    uint16_t port;
    bool is_v6;
};

/* "127.0.0.1:8080", "[::1]:8080"; port 0: any free one. */
static int parse_listen(const char *text, struct listen_address *ret, struct err_text *ret_error)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon == NULL ? 0 : (size_t)(colon - text);
    const char *start = text;
    ret->is_v6 = text[0] == '[' && len > 2 && text[len - 1] == ']';
    if (ret->is_v6) {
        start++;
        len -= 2;
    }
    uint64_t port = 0;
    unsigned char parsed[sizeof(struct in6_addr)];
    bool fits = len > 0 && len < sizeof(ret->address);
    if (fits) {
        memcpy(ret->address, start, len);
        ret->address[len] = '\0';
    }
    if (!fits || inet_pton(ret->is_v6 ? AF_INET6 : AF_INET, ret->address, parsed) != 1 ||
        units_parse_u64(colon + 1, PORT_MAX, &port) != 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--listen '%.128s' is not ADDRESS:PORT with a numeric address, as in "
                       "127.0.0.1:8080 or [::1]:8080",
                       text);
    }
    ret->port = (uint16_t)port;
    return 0;
}

static bool is_loopback(const struct listen_address *listen)
{
    return listen->is_v6 ? strcmp(listen->address, "::1") == 0
                         : strncmp(listen->address, "127.", 4) == 0;
}

static int serve(const struct listen_address *listen)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    /* Blocked before the origin's thread exists, so that the wait below gets them. */
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    struct err_text error = {{0}};
    struct origin *origin = NULL;
    int rc = origin_start(listen->address, listen->port, &error, &origin);
    if (rc != 0) {
        (void)fprintf(stderr, "quartet origin: %s\n", error.s);
        return rc == ERR_INVALID ? EXIT_WRONG_USAGE : EXIT_CANNOT_GO_ON;
    }
    (void)printf(listen->is_v6 ? "listening on http://[%s]:%u\n" : "listening on http://%s:%u\n",
                 listen->address,
                 origin_port(origin));
    (void)fflush(stdout);
    int number = 0;
    (void)sigwait(&set, &number);
    origin_stop(origin);
    return EXIT_ALL_OK;
}

int cmd_origin(int argc, char **argv, struct zygote *zygote)
{
    (void)zygote;
    const char *text = "127.0.0.1:0";
    bool insecure = false;
    uint64_t parent = 0;
    const struct cli_option options[] = {
        {.name = "listen",
         .kind = CLI_TEXT,
         .value = "ADDRESS:PORT",
         .target = &text,
         .default_text = "127.0.0.1:0",
         .help = "numeric address and port to listen on; port 0 picks a free one and prints it"},
        {.name = "insecure",
         .kind = CLI_FLAG,
         .target = &insecure,
         .help = "allow an address that other machines can reach: it sends as much as anybody asks "
                 "for"},
        {.name = "parent",
         .kind = CLI_COUNT,
         .value = "PID",
         .target = &parent,
         .help = "end when this process, which must be the parent, ends"},
    };
    const struct cli cli = {
        .program = "quartet origin",
        .usage = "",
        .summary = "Serves HTTP to download from, so that comparisons need no network: "
                   "/delay/SECONDS, /bytes/N, "
                   "/status/CODE, and misbehaviour for tests (/redirect/N, /drip, /stall, /close). "
                   "Runs until "
                   "SIGINT or SIGTERM.",
        .examples = "quartet origin --listen 127.0.0.1:8080",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
    };
    const char **words = calloc((size_t)argc, sizeof(*words));
    size_t word_count = 0;
    int status = words == NULL ? EXIT_CANNOT_GO_ON
                               : command_parse(&cli, argc, argv, words, &word_count, NULL);
    free(words);
    struct listen_address listen;
    struct err_text error = {{0}};
    if (status < 0 && parse_listen(text, &listen, &error) != 0) {
        (void)fprintf(stderr, "quartet origin: %s\n", error.s);
        status = EXIT_WRONG_USAGE;
    }
    if (status < 0 && !insecure && !is_loopback(&listen)) {
        (void)fprintf(stderr,
                      "quartet origin: refusing to listen on '%s': other machines can reach it and "
                      "it sends as "
                      "much as anybody asks for; add --insecure if that is wanted\n",
                      text);
        status = EXIT_WRONG_USAGE;
    }
    if (status < 0) {
        parent_bind(parent);
        status = serve(&listen);
    }
    return status;
}
