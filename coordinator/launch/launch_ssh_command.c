/* What the ssh launcher runs: ssh here, and what ssh is asked to run there; see launch_ssh_internal.h. */
#include "coordinator/launch/launch_push.h"
#include "coordinator/launch/launch_ssh_internal.h"

#include <stdio.h>

enum { ARGUMENTS_MAX = 24 };

/* What becomes the worker, by whichever way. */
static int write_shell(struct ssh_host *host,
                       const char *const *arguments,
                       char *ret_command,
                       size_t size)
{
    const struct launch_options *options = &host->launch->options;
    bool access = options->grant != NULL;
    if (options->bundle == NULL) {
        return launch_shell_command(options->worker_path, access, arguments, ret_command, size);
    }
    const struct launch_push push = {
        .hash = options->bundle->hash,
        .machine = options->bundle->machine,
        .size_bytes = options->bundle->size_bytes,
        .anew = host->push.anew,
    };
    return launch_push_command(&push, access, arguments, ret_command, size);
}

/* What becomes the worker's own arguments. */
static int write_command(struct ssh_host *host, char *ret_command, size_t size)
{
    const struct launch_options *options = &host->launch->options;
    char slots[16];
    const char *arguments[ARGUMENTS_MAX] = {
        "--name",
        host->host->name,
        "--end-with-stdin",
        "--quiet",
        /* What they run is what this user asks that account to run. */
        "--allow-exec",
        "--allow-plugins",
    };
    size_t count = 6;
    if (options->insecure) {
        arguments[count++] = "--insecure";
    }
    if (host->host->slots > 0) {
        (void)snprintf(slots, sizeof(slots), "%u", host->host->slots);
        arguments[count++] = "--slots";
        arguments[count++] = slots;
    }
    return write_shell(
        host, options->arguments != NULL ? options->arguments : arguments, ret_command, size);
}

/* A connection of this ssh's own: one that is shared would keep the tunnel when ssh ends. `forward` has
 * LAUNCH_FORWARD_SIZE bytes. */
static size_t add_tunnel(const struct launch_tunnel *tunnel, char *forward, const char **argv)
{
    size_t count = 0;
    argv[count++] = "-Snone";
    argv[count++] = "-oExitOnForwardFailure=yes";
    argv[count++] = "-oLogLevel=INFO"; /* so that it says the port */
    argv[count++] = "-R";
    argv[count++] = launch_tunnel_forward(tunnel, forward);
    return count;
}

static int write_ssh(const struct ssh_launch *launch, char *ret_ssh, size_t size)
{
    int len = snprintf(ret_ssh, size, "exec %s \"$@\"", launch->options.command);
    return len < 0 || (size_t)len >= size ? ERR_INVALID : 0;
}

/* ssh as the user has it configured, but for what a launch without a person needs: no question may
 * wait for an answer, and a host that has gone must be noticed. */
int ssh_command_start(struct ssh_host *host,
                      const struct launch_child_handlers *handlers,
                      struct err_text *ret_error)
{
    struct ssh_launch *launch = host->launch;
    char command[LAUNCH_COMMAND_SIZE];
    char ssh[LAUNCH_COMMAND_SIZE];
    char forward[LAUNCH_FORWARD_SIZE];
    char port[8];
    if (write_ssh(launch, ssh, sizeof(ssh)) != 0 ||
        write_command(host, command, sizeof(command)) != 0) {
        return err_set(ret_error, ERR_INVALID, "the command line is too long");
    }
    (void)snprintf(port, sizeof(port), "%u", host->host->port);
    const char *argv[ARGUMENTS_MAX] = {
        "/bin/sh",
        "-c",
        ssh,
        "ssh",
        "-T",
        "-oBatchMode=yes",
        "-oServerAliveInterval=10",
        "-oServerAliveCountMax=3",
    };
    size_t count = 8;
    if (launch->options.tunnel != NULL) {
        count += add_tunnel(launch->options.tunnel, forward, argv + count);
    }
    if (host->host->port != 0) {
        argv[count++] = "-p";
        argv[count++] = port;
    }
    argv[count++] = "--";
    argv[count++] = host->host->target;
    argv[count++] = command;
    return launch_child_start(&launch->stage->loop, argv, handlers, host, ret_error, &host->child);
}
