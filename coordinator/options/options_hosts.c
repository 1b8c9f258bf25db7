/* The flags around workers on other hosts. */
#include "coordinator/launch/launch_shell.h"
#include "coordinator/options/options.h"
#include "coordinator/options/options_internal.h"
#include "coordinator/session/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void options_add_hosts(struct cli_table *table, struct options *options)
{
    options->ssh = "ssh";
    options->remote_path = NULL;
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
        {.name = "push",
         .kind = CLI_FLAG,
         .target = &options->push,
         .help =
             "copy quartet-worker, with all libraries that it needs, to --hosts that do not have "
             "this one yet; kept there in ~/.cache/quartet/bundle"},
        {.name = "bundle",
         .kind = CLI_TEXT,
         .value = "FILE",
         .target = &options->bundle_path,
         .default_text = "of this machine's kind",
         .help = "what --push copies: quartet-bundle-MACHINE.tar.gz, made by the target 'bundle'"},
        {.name = "tunnel",
         .kind = CLI_FLAG,
         .target = &options->tunnel,
         .help = "workers on --hosts connect back through their ssh: for hosts that cannot reach "
                 "this machine"},
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

/* What is said about hosts, and there are none. */
static int check_needless(const struct options *options, struct err_text *ret_error)
{
    const char *flag = options->push                  ? "--push"
                       : options->bundle_path != NULL ? "--bundle"
                       : options->tunnel              ? "--tunnel"
                                                      : NULL;
    if (flag == NULL || options->hosts_text != NULL) {
        return 0;
    }
    return err_set(ret_error, ERR_INVALID, "%s is about --hosts, and there are none", flag);
}

static int check_push(const struct options *options, struct err_text *ret_error)
{
    if (options->bundle_path != NULL && !options->push) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--bundle '%.200s' is what --push copies: give --push too",
                       options->bundle_path);
    }
    if (options->push && options->remote_path != NULL) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--push runs what it has copied, and --remote-path '%.200s' what is there: "
                       "give one of them",
                       options->remote_path);
    }
    return 0;
}

static int check_tunnel(const struct options *options, struct err_text *ret_error)
{
    if (!options->tunnel) {
        return 0;
    }
    if (options->advertise_count > 0 && options->access == NULL) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--tunnel takes workers back through ssh, and --advertise '%.100s' past it: "
                       "give one of them",
                       options->advertise[0]);
    }
    if (options->listen != NULL && strncmp(options->listen, "tcp://", 6) != 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--tunnel leads to a port, and --listen '%.100s' is none: give "
                       "tcp://ADDRESS:PORT, or leave it out",
                       options->listen);
    }
    return 0;
}

static int open_bundle(struct options *options, struct err_text *ret_error)
{
    char programs[PROGRAM_PATH_SIZE] = "";
    char path[PROGRAM_PATH_SIZE];
    if (!options->push) {
        return 0;
    }
    if (options->bundle_path != NULL) {
        return bundle_open(options->bundle_path, ret_error, &options->bundle);
    }
    (void)program_directory(programs, sizeof(programs));
    int rc = bundle_find(programs, ret_error, path, sizeof(path));
    return rc != 0 ? rc : bundle_open(path, ret_error, &options->bundle);
}

/* What does not go together. */
static int check_together(const struct options *options, struct err_text *ret_error)
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
    return 0;
}

int options_check_hosts(struct options *options, struct err_text *ret_error)
{
    static int (*const checks[])(const struct options *, struct err_text *) = {
        check_needless, check_together, check_advertise, check_push, check_tunnel};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof(checks) / sizeof(checks[0]); i++) {
        rc = checks[i](options, ret_error);
    }
    if (options->remote_path == NULL) {
        options->remote_path = "quartet-worker";
    }
    if (rc != 0 || options->hosts_text == NULL) {
        return rc;
    }
    rc = read_hosts(options, ret_error);
    return rc != 0 ? rc : open_bundle(options, ret_error);
}

uint64_t options_workers(const struct options *options)
{
    return options->workers + options->wait_count + options->hosts.count;
}
