#include "worker/client.h"

#include "common/base/check.h"
#include "worker/client_internal.h"
#include "worker/workloads/params.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { STOP_LIMIT_MS = 500, BYE_LINGER_MS = 1000 };

uint64_t client_now_us(void)
{
    return uv_hrtime() / 1000;
}

void client_note(struct client *client, const char *format, ...)
{
    if (client->options.quiet) {
        return;
    }
    if (!line_limit_allows(&client->notes, client_now_us())) {
        return;
    }
    uint64_t left_out = line_limit_take_left_out(&client->notes);
    if (left_out > 0) {
        (void)fprintf(stderr,
                      "quartet-worker %s: %" PRIu64 " notes were left out\n",
                      client->options.name,
                      left_out);
    }
    /* In one piece: others may write to the same place at the same moment. */
    struct err_text text;
    va_list arguments;
    va_start(arguments, format);
    (void)err_vset(&text, 0, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "quartet-worker %s: %s\n", client->options.name, text.s);
}

/* --- performing --- */

static void exit_with(struct client *client, const struct agent_action *action)
{
    client->finished = true;
    client->exit_status = action->exit_status;
    const char *why = agent_exit_text(client->agent);
    if (action->exit_status == AGENT_EXIT_OK) {
        if (agent_drain_reason(client->agent) == AGENT_DRAIN_ASKED) {
            client->exit_status = (int)client->options.drained_status;
        }
        client_note(client, "%s", why);
        return;
    }
    bool is_lost = action->exit_status == AGENT_EXIT_LOST;
    bool is_known = is_lost && client->route.trouble.s[0] != '\0';
    (void)fprintf(stderr,
                  "quartet-worker %s: %s: %s%s%s%s\n",
                  client->options.name,
                  client->route.endpoint,
                  why,
                  is_known ? ": " : "",
                  is_known ? client->route.trouble.s : "",
                  is_lost ? " (quartet-worker --doctor looks for the reason)" : "");
}

static void perform(struct client *client, const struct agent_action *action)
{
    switch (action->type) {
    case AGENT_SEND_HELLO:
        client_send_hello(client);
        break;
    case AGENT_SEND_READY:
        client_send_ready(client, action);
        break;
    case AGENT_SEND_RESULTS:
        client_send_results(client, action);
        break;
    case AGENT_SEND_HEARTBEAT:
        client_send_heartbeat(client, action);
        break;
    case AGENT_SEND_RETURNED:
        client_send_returned(client, action);
        break;
    case AGENT_SEND_BYE:
        client_send_bye(client, action);
        break;
    case AGENT_START_ENGINE:
        client_start_engine(client);
        break;
    case AGENT_STOP_ENGINE:
        client_stop_engine(client);
        break;
    case AGENT_SUBMIT:
        client_submit_chunks(client);
        break;
    case AGENT_DISCARD:
        client_discard_chunks(client);
        break;
    case AGENT_ASK_HOLDING:
        client_tell_holding(client);
        break;
    case AGENT_SEND_HOLDING:
        client_send_holding(client, action);
        break;
    case AGENT_TAKE_BACK:
        client_take_back(client);
        break;
    case AGENT_RECONNECT:
        client->reconnect = true;
        break;
    case AGENT_EXIT:
        exit_with(client, action);
        break;
    }
}

void client_end_without_memory(struct client *client)
{
    (void)fprintf(stderr, "quartet-worker %s: out of memory\n", client->options.name);
    client->finished = true;
    client->exit_status = AGENT_EXIT_LOST;
}

/* Once, when it begins. */
static void note_drain(struct client *client)
{
    enum agent_drain_reason reason = agent_drain_reason(client->agent);
    char why[32];
    if (reason == client->drain_noted) {
        return;
    }
    client->drain_noted = reason;
    (void)snprintf(why, sizeof(why), "signal %d", client->signal);
    client_note(client,
                "%s: finishing what runs, giving back the rest",
                reason == AGENT_DRAIN_ASKED         ? why
                : reason == AGENT_DRAIN_COORDINATOR ? "the coordinator lets this worker go"
                                                    : "the time limit is near");
}

/* Actions may lead to further events (an engine that stops at once): each event has its own
 * list, on the stack of this call. */
void client_step(struct client *client, const struct agent_event *event)
{
    struct agent_action list[AGENT_ACTIONS_MIN];
    struct agent_actions actions = {.list = list, .capacity = AGENT_ACTIONS_MIN};
    if (agent_step(client->agent, client_now_us(), event, &actions) != 0) {
        client_end_without_memory(client);
        return;
    }
    note_drain(client);
    for (size_t i = 0; i < actions.count; i++) {
        perform(client, &actions.list[i]);
    }
}

/* --- the loop --- */

static void on_timer(uv_timer_t *timer)
{
    struct agent_event event = {.type = AGENT_TICK};
    client_step(timer->data, &event);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct client *client = handle->data;
    bool twice = client->signal != 0;
    client->signal = number;
    struct agent_event event = {.type = twice ? AGENT_QUIT : AGENT_DRAIN};
    client_step(client, &event);
    if (twice) {
        client->exit_status = 128 + number; /* items were cut short */
    }
}

static int open_socket(struct client *client, struct err_text *ret_error)
{
    struct zsock_options options = {
        .type = ZSOCK_DEALER,
        .header_max = WIRE_HEADER_MAX,
        .payload_max = WIRE_PAYLOAD_MAX,
        .handlers = &client_socket_handlers,
        .arg = client,
    };
    const struct access *access = client->options.access;
    struct zsock_keys keys = {.own = NULL};
    if (access != NULL) {
        keys = (struct zsock_keys){.own = &access->pair, .server_key = access->server_key};
        options.keys = &keys;
    }
    int rc = zsock_new(client->context, &client->loop, &options, ret_error, &client->socket);
    return rc != 0 ? rc : client_connect(client, ret_error);
}

static void loop_until_finished(struct client *client)
{
    struct err_text error = {{0}};
    while (!client->finished) {
        if (client->reconnect) {
            client->reconnect = false;
            zsock_close(client->socket, 0);
            client->socket = NULL;
            if (open_socket(client, &error) != 0) {
                client_note(client, "%s", error.s);
                client->exit_status = AGENT_EXIT_LOST;
                return;
            }
        }
        uint64_t deadline_us = agent_deadline_us(client->agent);
        if (deadline_us == UINT64_MAX) {
            (void)uv_timer_stop(&client->timer);
        } else {
            uint64_t at_us = client_now_us();
            uint64_t wait_us = deadline_us > at_us ? deadline_us - at_us : 0;
            uv_update_time(&client->loop);
            (void)uv_timer_start(
                &client->timer, on_timer, (wait_us + US_PER_MS - 1) / US_PER_MS, 0);
        }
        (void)uv_run(&client->loop, UV_RUN_ONCE);
    }
}

double client_drain_from_s(double time_limit_s, double drain_limit_s)
{
    return time_limit_s - drain_limit_s - CLIENT_LEAVING_S;
}

/* Another one in each worker and each time. */
static uint64_t random_number(void)
{
    uint64_t number = 0;
    (void)!getrandom(&number, sizeof(number), 0);
    return number;
}

static int open_client(struct client *client, struct err_text *ret_error)
{
    double time_limit_s = client->options.time_limit_s;
    double drain_from_s = client_drain_from_s(time_limit_s, client->options.drain_limit_s);
    struct agent_options options = {
        .credit_max = client->options.credit_max,
        .results_per_message = WIRE_CHUNKS_MAX,
        .errors_per_message = WIRE_ERRORS_MAX,
        .drain_limit_us = (uint64_t)(client->options.drain_limit_s * 1e6),
        .give_up_us = (uint64_t)(client->options.give_up_s * 1e6),
        .idle_limit_us = (uint64_t)(client->options.idle_limit_s * 1e6),
        .time_limit_us = time_limit_s > 0 ? (uint64_t)(drain_from_s * 1e6) : 0,
        .seed = random_number(),
    };
    (void)gethostname(client->host, sizeof(client->host) - 1);
    client->nonce = random_number() | 1; /* 0 is none */
    client->decoder = wire_decoder_new();
    client->encoder = wire_encoder_new();
    if (client->decoder == NULL || client->encoder == NULL ||
        agent_new(&options, client_now_us(), &client->agent) != 0) {
        return err_set(ret_error, ERR_NOMEM, "no memory");
    }
    int rc = client->options.end_with_stdin ? client_watch_input(client, ret_error) : 0;
    rc = rc != 0 ? rc : zsock_context_new(ret_error, &client->context);
    return rc != 0 ? rc : open_socket(client, ret_error);
}

static int open_loop(struct client *client, struct err_text *ret_error)
{
    int rc = uv_loop_init(&client->loop);
    if (rc != 0) {
        return err_set(ret_error, ERR_IO, "cannot make an event loop: %s", uv_strerror(rc));
    }
    CHECK(uv_async_init(&client->loop, &client->wake, client_on_engine_wake) == 0);
    (void)uv_timer_init(&client->loop, &client->timer);
    CHECK(uv_async_init(&client->loop, &client->plugin.loaded, client_on_plugin_loaded) == 0);
    (void)uv_timer_init(&client->loop, &client->plugin.limit);
    (void)uv_idle_init(&client->loop, &client->plugin.idle);
    (void)uv_signal_init(&client->loop, &client->terminate);
    (void)uv_signal_init(&client->loop, &client->interrupt);
    client_open_route(client);
    client->wake.data = client;
    client->timer.data = client;
    client->plugin.loaded.data = client;
    client->plugin.limit.data = client;
    client->plugin.idle.data = client;
    client->terminate.data = client;
    client->interrupt.data = client;
    (void)uv_signal_start(&client->terminate, on_signal, SIGTERM);
    (void)uv_signal_start(&client->interrupt, on_signal, SIGINT);
    return 0;
}

/* Ends the engine first: an item that does not look at `cancelled` must not keep the program. */
static bool close_engine(struct client *client)
{
    if (client->engine == NULL) {
        return true;
    }
    engine_stop(client->engine);
    if (engine_join(client->engine, STOP_LIMIT_MS) != 0) {
        return false;
    }
    engine_free(client->engine);
    client->engine = NULL;
    return true;
}

static void free_client(struct client *client)
{
    zsock_close(client->socket, BYE_LINGER_MS);
    plugin_store_free(client->plugin.store);
    if (!close_engine(client)) {
        return; /* its threads still use the client: both end with the program */
    }
    uv_close((uv_handle_t *)&client->wake, NULL);
    uv_close((uv_handle_t *)&client->timer, NULL);
    client_close_route(client);
    uv_close((uv_handle_t *)&client->plugin.loaded, NULL);
    uv_close((uv_handle_t *)&client->plugin.limit, NULL);
    uv_close((uv_handle_t *)&client->plugin.idle, NULL);
    uv_close((uv_handle_t *)&client->terminate, NULL);
    uv_close((uv_handle_t *)&client->interrupt, NULL);
    client_forget_input(client);
    (void)uv_run(&client->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&client->loop);
    zsock_context_free(client->context);
    agent_free(client->agent);
    wire_decoder_free(client->decoder);
    wire_encoder_free(client->encoder);
    params_deinit(&client->job.params);
    free(client);
}

int client_run(const struct client_options *options, struct zygote *zygote)
{
    struct client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        (void)fputs("quartet-worker: no memory\n", stderr);
        return AGENT_EXIT_LOST;
    }
    client->options = *options;
    client->zygote = zygote;
    struct err_text error = {{0}};
    if (open_loop(client, &error) != 0) {
        (void)fprintf(stderr, "quartet-worker: %s\n", error.s);
        free(client);
        return AGENT_EXIT_LOST;
    }
    int rc = open_client(client, &error);
    if (rc != 0) {
        (void)fprintf(stderr, "quartet-worker: %s\n", error.s);
        client->exit_status = rc == ERR_INVALID ? 2 : AGENT_EXIT_LOST;
    } else {
        client_note(client, "connecting to %s", client->route.endpoint);
        loop_until_finished(client);
    }
    int exit_status = client->exit_status;
    client_drop_plugin(client);
    struct plugin_loader *left = client->plugin.left;
    free_client(client);
    if (!plugin_loader_reap(&left, STOP_LIMIT_MS)) {
        /* Functions that run at exit would wait for the dynamic linker, which that plugin has. */
        (void)fflush(NULL);
        _exit(exit_status);
    }
    return exit_status;
}
