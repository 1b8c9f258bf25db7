/* What the files of the client share: client.c has its loop and performs the agent's actions,
 * client_route.c goes from one address of the coordinator to the next, client_receive.c turns
 * messages into events, client_send.c says things, client_engine.c starts, feeds and ends the
 * engine, client_plugin.c gets the plugin that it may need first, client_input.c watches whoever
 * started this worker. */
#ifndef QUARTET_WORKER_CLIENT_INTERNAL_H
#define QUARTET_WORKER_CLIENT_INTERNAL_H

#include "common/base/line_limit.h"
#include "common/io/zsock.h"
#include "common/wire/wire.h"
#include "worker/agent.h"
#include "worker/client.h"
#include "worker/engine/engine.h"
#include "worker/plugin_loader.h"
#include "worker/plugin_store.h"
#include "worker/workloads/params.h"
#include "worker/workloads/workload.h"

#include <stdatomic.h>
#include <uv.h>

enum { CLIENT_TAKE_MAX = 1024, US_PER_MS = 1000 };

/* The job last received, kept until the agent wants its engine. */
struct client_job {
    uint64_t id;
    const struct workload_ops *workload; /* NULL until its plugin is loaded */
    struct params params;
    enum strategy strategy;
    uint32_t slots;
    uint64_t range_first;
    bool records;
    unsigned char plugin_hash[HASH_SIZE];
    uint64_t plugin_size; /* 0: the workload is built in */
    char name[WIRE_NAME_MAX + 1];
    uint64_t received_us;
    struct err_text refused; /* not empty: it cannot run here */
};

/* The plugin of client->job on its way. */
struct client_plugin {
    struct plugin_store *store;   /* made for the first job with a plugin */
    struct plugin_fetch *fetch;   /* NULL: none is on its way */
    uv_idle_t idle;               /* runs while the file that is there is checked */
    struct plugin_loader *loader; /* the file is there and being loaded; NULL: it is not */
    struct plugin_loader *left;   /* loads that nobody waits for */
    uv_async_t loaded;
    uv_timer_t limit;       /* of the load */
    uint64_t asked_session; /* the last FETCH was said in this session, */
    uint64_t asked_offset;  /* about the part from here on */
};

/* Where the coordinator may be: its addresses are tried in turn. */
struct client_route {
    const char *endpoint; /* the one being tried, or connected to */
    size_t at;            /* its number */
    uint64_t turns;       /* that were taken since the last connection */
    uint64_t begun_us;    /* when this one was */
    uv_timer_t timer;     /* runs while another one, or at first any, is to be tried at its end */
    uint32_t refused;     /* how often our key was, since the last connection */
    bool called;          /* the first attempt was made */
    struct err_text
        trouble; /* why there is no connection, as it was noted last; "": there was nothing yet */
};

struct client {
    struct client_options options;
    struct client_route route;
    struct zygote *zygote;
    char host[256];
    uint64_t nonce;
    uv_loop_t loop;
    uv_async_t wake;
    uv_timer_t timer;
    uv_signal_t terminate;
    uv_signal_t interrupt;
    uv_poll_t input; /* of standard input; its `data` is NULL when it is not watched */
    struct zsock_context *context;
    struct zsock *socket;
    struct wire_decoder *decoder;
    struct wire_encoder *encoder;
    struct agent *agent;
    struct engine *engine;
    uint64_t engine_job; /* the job the engine was made for */
    bool engine_settled; /* READY or FAILED was told to the agent */
    bool engine_stopping;
    atomic_bool engine_news; /* the engine has said `wake` since we last took */
    bool quick;              /* the last results took next to no time */
    size_t submitted;        /* chunks of this turn */
    struct client_job job;
    struct client_plugin plugin;
    struct err_text engine_error;
    struct line_limit notes;
    bool reconnect; /* close and open the socket at the end of this turn */
    bool finished;
    int exit_status;
    int signal; /* the last one; 0: none */
    enum agent_drain_reason drain_noted;
    struct chunk chunks[WIRE_CHUNKS_MAX]; /* of the CHUNKS message in hand, and of take_back */
    size_t chunk_count;
    struct chunk_result results[CLIENT_TAKE_MAX];
};

uint64_t client_now_us(void);

/* A line on standard error, unless --quiet or when there are too many (line_limit.h). */
void client_note(struct client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Give the agent one event and perform what it answers. */
void client_step(struct client *client, const struct agent_event *event);

/* A worker without memory is of no use: its end makes the coordinator send its chunks elsewhere. */
void client_end_without_memory(struct client *client);

/* --- client_route.c --- */

/* Before the loop runs, and at its end. */
void client_open_route(struct client *client);
void client_close_route(struct client *client);

/* Begin to connect a new socket. */
int client_connect(struct client *client, struct err_text *ret_error);

/* The connection stands, or not any more; nobody answers there; the coordinator does not accept our
 * key. */
void client_route_connected(struct client *client);
void client_route_disconnected(struct client *client);
void client_route_retrying(struct client *client);
/* There is no connection, and why: noted, unless that was the reason last time. */
void client_route_trouble(struct client *client, const char *why);
void client_route_refused(struct client *client);
/* Leave when standard input ends. ERR_INVALID: it is a file, or something else without an end to wait
 * for. */
int client_watch_input(struct client *client, struct err_text *ret_error);
void client_forget_input(struct client *client);

/* What the socket calls. */
extern const struct zsock_handlers client_socket_handlers;

/* Never block. What does not leave is lost with the connection: the agent keeps results until
 * they are acknowledged, and says them again. */
void client_send(struct client *client, const struct wire_message *message);
void client_send_hello(struct client *client);
void client_send_ready(struct client *client, const struct agent_action *action);
void client_send_results(struct client *client, const struct agent_action *action);
void client_send_heartbeat(struct client *client, const struct agent_action *action);
void client_send_holding(struct client *client, const struct agent_action *action);
void client_send_returned(struct client *client, const struct agent_action *action);
void client_send_bye(struct client *client, const struct agent_action *action);

/* May the job in hand run this workload here, with its parameters? Fills in their defaults. Returns
 * 0, or ERR_INVALID with the reason. */
int client_check_workload(struct client *client,
                          const struct workload_ops *workload,
                          struct err_text *ret_error);

/* Get the plugin of client->job; client_make_engine follows, or client_tell_engine_failed. */
void client_get_plugin(struct client *client);
/* JOB was said again: in a new session what was asked for in the last one may never come. */
void client_ask_for_plugin_again(struct client *client);
void client_on_part(struct client *client,
                    const struct wire_message *message,
                    const struct blob *payload);
void client_on_plugin_loaded(uv_async_t *loaded);
/* Forget the plugin that is on its way, if there is one. */
void client_drop_plugin(struct client *client);

/* The engine of client->job: with its plugin, when it needs one; now that the workload is known;
 * not at all, client->engine_error says why. */
void client_start_engine(struct client *client);
void client_make_engine(struct client *client);
void client_tell_engine_failed(struct client *client);
void client_stop_engine(struct client *client);
void client_on_engine_wake(uv_async_t *wake);
/* After a turn's messages: when what was submitted will be done in a moment, wait for it here instead of
 * going to sleep and being woken. */
void client_await_quick_results(struct client *client);
void client_take_back(struct client *client);
/* Tell the agent what the engine has in hand. */
void client_tell_holding(struct client *client);
/* The chunks of the message in hand. */
void client_submit_chunks(struct client *client);
void client_discard_chunks(struct client *client);

#endif
