/* Standard input as a sign of life of whoever started this worker (--end-with-stdin): a launcher on another
 * machine, whose end nothing else would tell. What comes in is read and dropped; its end is the
 * launcher's. */
#include "worker/client_internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void leave(struct client *client)
{
    client_note(client, "standard input has ended, and with it whoever started this worker");
    struct agent_event event = {.type = AGENT_QUIT};
    client_step(client, &event);
    client->exit_status = AGENT_EXIT_LOST;
}

static void on_input(uv_poll_t *poll, int status, int events)
{
    struct client *client = poll->data;
    char dropped[4096];
    (void)status;
    (void)events;
    ssize_t got = read(STDIN_FILENO, dropped, sizeof(dropped));
    if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) {
        return;
    }
    (void)uv_poll_stop(poll);
    if (!client->finished) {
        leave(client);
    }
}

int client_watch_input(struct client *client, struct err_text *ret_error)
{
    int rc = uv_poll_init(&client->loop, &client->input, STDIN_FILENO);
    if (rc != 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--end-with-stdin: standard input is no pipe, socket or terminal whose end "
                       "could be seen: %s",
                       uv_strerror(rc));
    }
    client->input.data = client;
    (void)uv_poll_start(&client->input, UV_READABLE | UV_DISCONNECT, on_input);
    return 0;
}

void client_forget_input(struct client *client)
{
    if (client->input.data != NULL) {
        uv_close((uv_handle_t *)&client->input, NULL);
    }
}
