#include "coordinator/server/server.h"

#include "common/base/units.h"
#include "coordinator/server/server_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    GRACE_US =
        1000 *
        1000, /* a run that goes on waits for workers that come by themselves: they need half a second */
    START_LIMIT_US = 60 * 1000 * 1000,
    SETTLE_LIMIT_US = 2 * 1000 * 1000,
    BYE_LIMIT_US = 500 * 1000,
    EACH_LIMIT_US = 1000, /* and so much longer for each worker that has to answer */
    BYE_LINGER_MS = 100,
};

/* --- life --- */

/* Any failure is ERR_IO: not the user's mistake, whatever it was. */
static int prove_refusals(struct server *server, struct err_text *ret_error)
{
    int rc = zsock_check_refusals(server->socket, ret_error);
    zap_forget_refusals(server->keys.zap);
    return rc == 0 ? 0 : ERR_IO;
}

static int open_socket(struct server *server, struct err_text *ret_error)
{
    struct zsock_options options = {
        .type = ZSOCK_ROUTER,
        .header_max = WIRE_HEADER_MAX,
        .payload_max = WIRE_PAYLOAD_MAX,
        .handlers = &server_socket_handlers,
        .arg = server,
    };
    const struct zsock_keys keys = {.own = &server->keys.own};
    bool encrypted = server->keys.zap != NULL;
    options.keys = encrypted ? &keys : NULL;
    int rc = zsock_new(server->context, &server->stage->loop, &options, ret_error, &server->socket);
    rc = rc != 0 ? rc : zsock_bind(server->socket, server->options.endpoint, ret_error);
    return rc == 0 && encrypted ? prove_refusals(server, ret_error) : rc;
}

static int check_endpoint(const struct server_options *options, struct err_text *ret_error)
{
    if (!zsock_endpoint_has_form(options->endpoint)) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "cannot listen on '%.200s': not an endpoint such as tcp://127.0.0.1:5555 or "
                       "ipc:///run/quartet",
                       options->endpoint);
    }
    if (zsock_endpoint_is_local(options->endpoint) || options->keys != NULL || options->run_keys ||
        options->insecure) {
        return 0;
    }
    return err_set(
        ret_error,
        ERR_INVALID,
        "refusing to listen on '%s' without keys: it can be reached from other machines; "
        "make keys with 'quartet keygen DIR' and add --keys DIR --access FILE, or "
        "--insecure to let anybody on that network in",
        options->endpoint);
}

int server_new(struct stage *stage,
               const struct server_options *options,
               struct err_text *ret_error,
               struct server **ret_server)
{
    int rc = check_endpoint(options, ret_error);
    if (rc != 0) {
        return rc;
    }
    struct server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory for the server");
    }
    server->stage = stage;
    server->options = *options;
    server->slowest_us = server_tempo_us(server);
    (void)uv_timer_init(&stage->loop, &server->beat);
    server->beat.data = server;
    (void)gethostname(server->host, sizeof(server->host) - 1);
    uint32_t serial = 0;
    (void)!getrandom(&serial, sizeof(serial), 0);
    server->next_job = ((uint64_t)serial << 24) + 1;
    server->decoder = wire_decoder_new();
    server->encoder = wire_encoder_new();
    server->dirty = calloc(options->workers_max, sizeof(struct peer *));
    rc = peers_init(&server->peers, options->workers_max, (uint64_t)serial << 12);
    if (rc != 0 || server->decoder == NULL || server->encoder == NULL || server->dirty == NULL) {
        rc = err_set(ret_error, ERR_NOMEM, "no memory for the server");
        goto out;
    }
    rc = zsock_context_new(ret_error, &server->context);
    rc = rc != 0 ? rc : server_keys_open(server, ret_error);
    rc = rc != 0 ? rc : open_socket(server, ret_error);
    if (rc == 0) {
        (void)uv_timer_start(
            &server->beat, server_on_beat, options->heartbeat_ms / 2, options->heartbeat_ms / 2);
    }
out:
    if (rc != 0) {
        server_free(server);
        return rc;
    }
    *ret_server = server;
    return 0;
}

/* Ten thousand answers take their time. */
static uint64_t limit_us(const struct server *server, uint64_t least_us)
{
    return least_us + (uint64_t)EACH_LIMIT_US * server->peers.count;
}

static bool all_left(void *arg)
{
    const struct server *server = arg;
    return server->peers.count == 0;
}

/* Say BYE and keep the connections until every worker has answered or is gone: a message that is under way when a connection closes may be
 * lost, and its worker would then wait for a coordinator that is done. Goes on after a signal. */
static void say_bye(struct server *server)
{
    server->closing = true;
    for (uint32_t i = 0; i < server->peers.high; i++) {
        struct peer *peer = server->peers.by_index[i];
        if (peer != NULL) {
            struct wire_message message = {.type = WIRE_BYE};
            (void)server_send(server, peer, &message);
        }
    }
    stage_wait_anyway(server->stage, all_left, server, limit_us(server, BYE_LIMIT_US));
}

static void say_what_was_refused(struct server *server)
{
    const struct server_stats *stats = &server->stats;
    server_say_left_out(server);
    server->notes = (struct line_limit){{0}, 0}; /* what follows is always said */
    if (stats->bad_frames > 0) {
        server_note(
            server, "%" PRIu64 " messages that could not be read were dropped", stats->bad_frames);
    }
    if (stats->rejected + stats->ignored > 0) {
        server_note(server,
                    "%" PRIu64 " registrations were refused, %" PRIu64
                    " more passed over because one connection had too many",
                    stats->rejected,
                    stats->ignored);
    }
    server_say_refusals(server);
}

void server_free(struct server *server)
{
    if (server == NULL) {
        return;
    }
    say_what_was_refused(server);
    if (server->socket != NULL) {
        say_bye(server);
        zsock_close(server->socket, BYE_LINGER_MS);
    }
    uv_close((uv_handle_t *)&server->beat, NULL);
    (void)uv_run(&server->stage->loop, UV_RUN_NOWAIT);
    zsock_context_free(server->context);
    server_keys_close(server);
    peers_deinit(&server->peers);
    wire_decoder_free(server->decoder);
    wire_encoder_free(server->encoder);
    free(server->dirty);
    free(server->part);
    free(server);
}

const char *server_endpoint(const struct server *server)
{
    return zsock_endpoint(server->socket);
}

const char *server_full(const struct server *server)
{
    return server->full.s;
}

uint32_t server_workers(const struct server *server)
{
    return server->peers.count;
}

bool server_has_worker(const struct server *server, const char *name)
{
    for (uint32_t i = 0; i < server->peers.high; i++) {
        const struct peer *peer = server->peers.by_index[i];
        if (peer != NULL && strcmp(peer->name, name) == 0) {
            return true;
        }
    }
    return false;
}

char *server_describe_workers(const struct server *server, char *ret_text, size_t size)
{
    size_t len = 0;
    ret_text[0] = '\0';
    for (uint32_t i = 0; i < server->peers.high && len < size; i++) {
        const struct peer *peer = server->peers.by_index[i];
        if (peer != NULL) {
            int added = snprintf(ret_text + len,
                                 size - len,
                                 "%s%s@%s",
                                 len == 0 ? "" : ", ",
                                 peer->name,
                                 peer->host);
            len += (size_t)added;
        }
    }
    return ret_text;
}

void server_no_more_workers(struct server *server, bool none)
{
    server->no_more_workers = none;
    if (none && server->run.runner != NULL && server_able(server) == 0) {
        runner_no_more_workers(server->run.runner, stage_now_us());
    }
}

/* --- a run --- */

static bool all_answered(void *arg)
{
    const struct server *server = arg;
    for (uint32_t i = 0; i < server->peers.high; i++) {
        const struct peer *peer = server->peers.by_index[i];
        if (peer != NULL && peer->state == PEER_STARTING) {
            return false;
        }
    }
    return true;
}

static bool all_settled(void *arg)
{
    const struct server *server = arg;
    for (uint32_t i = 0; i < server->peers.high; i++) {
        const struct peer *peer = server->peers.by_index[i];
        if (peer != NULL && peer->busy_job != 0) {
            return false;
        }
    }
    return true;
}

/* Sum over the workers that are ready: how many, items at once, the slowest start. */
static void count_ready(struct server *server, uint64_t *ret_startup_us)
{
    struct server_run *run = &server->run;
    for (uint32_t i = 0; i < server->peers.high; i++) {
        const struct peer *peer = server->peers.by_index[i];
        if (peer != NULL && peer->state == PEER_RUNNING) {
            run->workers++;
            run->concurrency += peer->slots;
            run->cooperative |= peer->cooperative;
            run->elsewhere |= strcmp(peer->host, server->host) != 0;
            *ret_startup_us = peer->startup_us > *ret_startup_us ? peer->startup_us
                                                                 : *ret_startup_us;
        }
    }
}

static uint64_t sum_cpu_us(const struct server *server)
{
    uint64_t cpu_us = server->run.cpu_us_gone;
    for (uint32_t i = 0; i < server->peers.high; i++) {
        const struct peer *peer = server->peers.by_index[i];
        cpu_us += peer != NULL && peer->busy_job == server->run.job_id ? peer->cpu_us : 0;
    }
    return cpu_us;
}

/* Make every worker forget the job, and wait until their engines are down: the next cell must not share the machine with them. */
static void cancel_job(struct server *server)
{
    for (uint32_t i = 0; i < server->peers.high; i++) {
        struct peer *peer = server->peers.by_index[i];
        if (peer != NULL) {
            struct wire_message message = {.type = WIRE_CANCEL, .job = server->run.job_id};
            peer_batch_clear(&peer->batch);
            peer->state = PEER_IDLE;
            (void)peer_note_durable(peer, UINT64_MAX); /* whatever was noted: the job is over */
            (void)server_send(server, peer, &message);
        }
    }
    if (!stage_interrupted(server->stage)) {
        (void)stage_wait(server->stage, all_settled, server, limit_us(server, SETTLE_LIMIT_US));
    }
}

/* Send the job out and wait until every worker has answered. Returns 0 when at least one can run it. */
static int muster(struct server *server, struct err_text *ret_error, uint64_t *ret_startup_us)
{
    struct server_run *run = &server->run;
    if (server_call_crew(server) != 0) {
        return err_set(ret_error, ERR_NOMEM, "no memory to choose workers");
    }
    uint64_t parts;
    int rc;
    do {
        /* A large plugin on a slow network may take longer, as long as it moves. */
        parts = run->parts;
        rc = stage_wait(server->stage, all_answered, server, START_LIMIT_US);
    } while (rc == ERR_TIMEOUT && run->parts != parts);
    if (rc == ERR_CANCELLED) {
        return err_set(ret_error, rc, "interrupted while the workers were starting");
    }
    count_ready(server, ret_startup_us);
    run->hosts = server_running_hosts(server);
    if (run->workers > 0) {
        return 0;
    }
    if (run->unable.s[0] != '\0') {
        return err_set(ret_error, ERR_INVALID, "%s", run->unable.s);
    }
    return err_set(
        ret_error, ERR_GONE, "no worker is connected to %s", zsock_endpoint(server->socket));
}

static void describe_stall(const struct server *server, struct job_result *result)
{
    char limit[UNITS_TEXT_SIZE];
    if (server->peers.count > 0) {
        (void)snprintf(result->error,
                       sizeof(result->error),
                       "no worker that is left can run the job: %.400s",
                       server->run.unable.s);
        return;
    }
    if (server->no_more_workers || server->options.alone_limit_us == 0) {
        (void)snprintf(
            result->error, sizeof(result->error), "every worker is gone and none can come");
        return;
    }
    (void)snprintf(result->error,
                   sizeof(result->error),
                   "every worker is gone and none came for %s",
                   units_format_seconds((double)server->options.alone_limit_us / 1e6, limit));
}

static void play(struct server *server, const struct job *job, struct job_result *ret_result)
{
    struct server_run *run = &server->run;
    struct err_text error = {{0}};
    uint64_t startup_us = 0;
    if (server_check_job(server, &error) != 0 || muster(server, &error, &startup_us) != 0) {
        job_result_fail(ret_result, error.s);
        if (stage_interrupted(server->stage)) {
            ret_result->outcome = RUNNER_CANCELLED;
        }
        return;
    }
    runner_begin(run->runner, stage_now_us());
    if (server->no_more_workers && server_able(server) == 0) {
        runner_no_more_workers(run->runner, stage_now_us());
    }
    stage_play(server->stage, run->runner, job->label, job->keep_bar);
    job_result_fill(run->runner, ret_result);
    ret_result->sample.workers_lost += run->refused;
    ret_result->sample.cpu_s = (double)sum_cpu_us(server) / 1e6;
    ret_result->sample.startup_s = (double)startup_us / 1e6;
    ret_result->workers = run->workers;
    ret_result->hosts = run->hosts;
    ret_result->elsewhere = run->elsewhere;
    ret_result->concurrency = run->concurrency;
    ret_result->cooperative = run->cooperative;
    ret_result->sample.late = run->late;
    if (ret_result->outcome == RUNNER_STALLED) {
        describe_stall(server, ret_result);
    }
}

void server_run(struct server *server, const struct job *job, struct job_result *ret_result)
{
    memset(ret_result, 0, sizeof(*ret_result));
    struct runner_options options = {
        .items = job->items,
        .items_count = job->items_count,
        .chunk_items = job->chunk_items,
        .retries_max = job->retries,
        .crash_limit = job->crash_limit,
        .speculate = job->speculate,
        .halt = job->halt,
        .sink = job->sink,
        .journal = job->journal,
        .state = job->state,
        .grace_us = server->options.alone_limit_us > 0 ? GRACE_US : 0,
        .lease_us = server->slowest_us * SILENT_BEATS,
        .workers_max = server->options.workers_max,
        .link = &server_link,
        .link_arg = server,
    };
    struct err_text error = {{0}};
    struct runner *runner = NULL;
    if (runner_new(&options, &error, &runner) != 0) {
        job_result_fail(ret_result, error.s);
        return;
    }
    memset(&server->run, 0, sizeof(server->run));
    server->run.job = job;
    server->run.runner = runner;
    server->run.job_id = job->id != 0 ? job->id : server->next_job++;
    play(server, job, ret_result);
    server->run.runner = NULL;
    server->run.job = NULL;
    cancel_job(server);
    runner_free(runner);
}
