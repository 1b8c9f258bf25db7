/* The flags around workers on other hosts. */
#include "coordinator/launch_shell.h"
#include "coordinator/options.h"
#include "coordinator/options_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void options_add_hosts(struct cli_table *table, struct options *options)
{
    options->ssh = "ssh";
    options->remote_path = "quartet-worker";
    const struct cli_option list[] = {
        {.name = "hosts",
         .kind = CLI_TEXT,
         .value = "FILE|LIST",
         .target = &options->hosts_text,
         .help =
             "start a worker over ssh on each of these: h1,user@c:2222,8/big (8 items at once) or "
             "a file of such, with # comments"},
        {.name = "ssh",
         .kind = CLI_TEXT,
         .value = "COMMAND",
         .target = &options->ssh,
         .default_text = "ssh",
         .help = "what reaches --hosts: takes OpenSSH's options, may have some of its own ('ssh -F "
                 "FILE'); ssh's configuration applies"},
        {.name = "remote-path",
         .kind = CLI_TEXT,
         .value = "PATH",
         .target = &options->remote_path,
         .default_text = "quartet-worker, in PATH there",
         .help = "where --hosts have quartet-worker"},
    };
    cli_table_add(table, list, sizeof(list) / sizeof(list[0]));
}

static int read_file(const char *path, struct err_text *ret_error, char **ret_text, size_t *ret_len)
{
    char *text = malloc(HOSTS_TEXT_MAX);
    FILE *file = fopen(path, "re");
    int rc = 0;
    size_t len = 0;
    if (text == NULL || file == NULL) {
        rc = err_set(ret_error,
                     text == NULL ? ERR_NOMEM : ERR_INVALID,
                     "cannot read --hosts '%.200s': %s",
                     path,
                     strerror(errno));
        goto out;
    }
    len = fread(text, 1, HOSTS_TEXT_MAX, file);
    if (ferror(file) != 0 || len == HOSTS_TEXT_MAX) {
        rc = err_set(ret_error,
                     ERR_INVALID,
                     "cannot read --hosts '%.200s': %s",
                     path,
                     ferror(file) != 0 ? strerror(errno) : "it is larger than 1 MiB");
    }
out:
    if (file != NULL) {
        (void)fclose(file);
    }
    if (rc != 0) {
        free(text);
        return rc;
    }
    *ret_text = text;
    *ret_len = len;
    return 0;
}

/* A list, unless there is a file of that name or it can be nothing else. */
static bool is_file(const char *value)
{
    struct stat stat_of;
    return value[0] == '/' || value[0] == '.' ||
           (stat(value, &stat_of) == 0 && !S_ISDIR(stat_of.st_mode));
}

static int read_hosts(struct options *options, struct err_text *ret_error)
{
    const char *value = options->hosts_text;
    struct err_text why = {{0}};
    char *text = NULL;
    size_t len = 0;
    if (!is_file(value)) {
        int rc = hosts_parse(value, strlen(value), &why, &options->hosts);
        return rc == 0 ? 0 : err_set(ret_error, rc, "--hosts: %s", why.s);
    }
    int rc = read_file(value, ret_error, &text, &len);
    if (rc == 0) {
        rc = hosts_parse(text, len, &why, &options->hosts);
        rc = rc == 0 ? 0 : err_set(ret_error, rc, "--hosts '%.200s': %s", value, why.s);
    }
    free(text);
    return rc;
}

static int check_advertise(const struct options *options, struct err_text *ret_error)
{
    char endpoint[LAUNCH_ENDPOINT_SIZE];
    if (options->hosts_text != NULL && options->advertise_count > 0 &&
        launch_shell_advertised(options->advertise[0], 1, endpoint) != 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--advertise '%.100s' is not HOST, HOST:PORT or [ADDRESS]:PORT",
                       options->advertise[0]);
    }
    return 0;
}

int options_check_hosts(struct options *options, struct err_text *ret_error)
{
    if (options->hosts_text != NULL && options->local_only) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--local and --hosts '%.100s' contradict each other: give one of them",
                       options->hosts_text);
    }
    if (options->hosts_text != NULL && options->wait_count > 0 && options->keys == NULL &&
        !options->insecure) {
        return err_set(
            ret_error,
            ERR_INVALID,
            "--hosts get keys of this run, which workers that come by themselves (--wait) "
            "cannot have: give --keys DIR for both, or --insecure");
    }
    int rc = check_advertise(options, ret_error);
    return rc != 0 || options->hosts_text == NULL ? rc : read_hosts(options, ret_error);
}

uint64_t options_workers(const struct options *options)
{
    return options->workers + options->wait_count + options->hosts.count;
}
