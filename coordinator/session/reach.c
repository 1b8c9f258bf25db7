#include "coordinator/session/reach.h"

#include "common/io/secret_file.h"
#include "coordinator/server/keyring.h"
#include "coordinator/session/addresses.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

uint16_t reach_port(const char *endpoint)
{
    const char *colon = strrchr(endpoint, ':');
    return colon == NULL ? 0 : (uint16_t)strtoul(colon + 1, NULL, 10);
}

static bool is_every_address(const char *endpoint)
{
    return strncmp(endpoint, "tcp://0.0.0.0:", 14) == 0 ||
           strncmp(endpoint, "tcp://[::]:", 11) == 0 || strncmp(endpoint, "tcp://*:", 8) == 0;
}

void reach_told(const struct options *options,
                const char *bound,
                char ret_endpoint[LAUNCH_ENDPOINT_SIZE])
{
    ret_endpoint[0] = '\0';
    if (options->advertise_count > 0) {
        (void)launch_shell_advertised(options->advertise[0], reach_port(bound), ret_endpoint);
    } else if (!is_every_address(bound)) {
        (void)snprintf(ret_endpoint, LAUNCH_ENDPOINT_SIZE, "%s", bound);
    }
}

/* Which start of a coordinator this is. */
static void name_run(struct access *access)
{
    uint64_t number = 0;
    (void)!getrandom(&number, sizeof(number), 0);
    (void)snprintf(access->run, sizeof(access->run), "%016" PRIx64, number);
}

static void name_server(struct access *access, const struct server *server)
{
    (void)snprintf(access->server_key, sizeof(access->server_key), "%s", server_public_key(server));
}

int reach_fill_access(const struct options *options,
                      const struct server *server,
                      struct err_text *ret_error,
                      struct access *ret_access)
{
    const char *bound = server_endpoint(server);
    int rc = 0;
    name_run(ret_access);
    name_server(ret_access, server);
    for (size_t i = 0; rc == 0 && i < options->advertise_count; i++) {
        rc = addresses_add_advertised(ret_access, options->advertise[i], bound, ret_error);
    }
    rc = rc != 0 ? rc : addresses_add_here(ret_access, bound, ret_error);
    return rc != 0 ? rc
                   : keyring_read_worker(options->keys,
                                         options->access_for,
                                         ret_error,
                                         &ret_access->pair,
                                         ret_access->name);
}

int reach_admit(struct server *server,
                const char *name,
                const char *endpoint,
                struct err_text *ret_error,
                struct access *ret_access)
{
    *ret_access = (struct access){.endpoint_count = 0};
    name_run(ret_access);
    access_add_endpoint(ret_access, endpoint);
    (void)snprintf(ret_access->name, sizeof(ret_access->name), "%s", name);
    name_server(ret_access, server);
    return server_admit(server, name, ret_error, &ret_access->pair);
}

/* The name of a key is not the worker's: names of hosts have characters that those of keys have not. */
char *reach_grant_line(struct server *server,
                       const char *name,
                       const char *endpoint,
                       struct err_text *ret_error)
{
    struct access access;
    char *line = NULL;
    if (reach_admit(server, name, endpoint, ret_error, &access) == 0) {
        (void)snprintf(access.name, sizeof(access.name), "launched");
        line = access_format(&access, true);
        if (line == NULL) {
            server_dismiss(server, name);
            (void)err_set(ret_error, ERR_NOMEM, "no memory for a worker's access");
        }
    }
    access_wipe(&access);
    return line;
}
