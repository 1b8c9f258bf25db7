/* Doctors: who looks whether and how a worker would get on here, and is none. Each PROBE is answered with
 * an ECHO, and nothing is kept of it; see server_internal.h. */
#include "common/io/descriptors.h"
#include "common/io/versions.h"
#include "coordinator/server/server_internal.h"
#include "coordinator/server/server_status.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/* What all of them together may ask for, so that a run does not notice them: 4096 questions at once (30 of a hundred hosts) and
 * 1000 a second, of some microseconds each, and 64 MiB at once and 4 MiB a second of what is sent back. Of one who does not read it libzmq
 * keeps that, until TCP gives the connection up (ZMQ_TCP_MAXRT). */
enum {
    PROBES_AT_ONCE = 4096,
    PROBE_EACH_US = 1000,
    PIECE_SIZE = 16 * 1024,
    PIECES_AT_ONCE = 64 * 1024 * 1024 / PIECE_SIZE,
    PIECE_EACH_US = 4 * 1000,
    NS_PER_US = 1000,
};

static uint64_t clock_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * US_PER_S + (uint64_t)now.tv_nsec / NS_PER_US;
}

/* As much of what was asked for as may be given now. */
static uint32_t allow_payload(struct server *server, uint32_t want)
{
    uint64_t now_us = stage_now_us();
    uint32_t given = 0;
    while (given < want &&
           bucket_take(&server->doctors.pieces, now_us, PIECES_AT_ONCE, PIECE_EACH_US)) {
        given += want - given < PIECE_SIZE ? want - given : PIECE_SIZE;
    }
    return given;
}

static struct wire_message echo_of(const struct server *server, const struct wire_probe *probe)
{
    struct wire_message message = {.type = WIRE_ECHO};
    size_t got = server->payload == NULL ? 0 : blob_len(server->payload);
    uint64_t files_max = 0;
    uint64_t files_left = descriptors_left(&files_max);
    message.as.echo = (struct wire_echo){
        .protocol_major = WIRE_PROTOCOL_MAJOR,
        .protocol_minor = WIRE_PROTOCOL_MINOR,
        .build = wire_text(versions_quartet()),
        .host = wire_text(server->host),
        .seq = probe->seq,
        .got = (uint32_t)(got < WIRE_PROBE_MAX ? got : WIRE_PROBE_MAX),
        .workers = server->peers.count,
        .workers_max = server->peers.max,
        .files_max = files_max,
        .files_left = files_left,
        .running = server->run.runner != NULL,
    };
    return message;
}

void server_on_probe(struct server *server,
                     struct zsock_peer address,
                     const struct wire_message *message)
{
    const struct wire_probe *probe = &message->as.probe;
    uint64_t received_us = clock_us();
    if (!bucket_take(&server->doctors.probes, stage_now_us(), PROBES_AT_ONCE, PROBE_EACH_US)) {
        return;
    }
    if (!server_key_is_allowed(server, zsock_sender_key(server->socket))) {
        server_reject(server, address, 0, WIRE_REASON_KEY, "the key of this worker was taken back");
        return;
    }
    if (probe->seq == 1) {
        server->stats.doctors++;
        server_note(server,
                    "a doctor on host %.*s (quartet %.*s, protocol %" PRIu32 ".%" PRIu32
                    ") got through and is answered",
                    (int)probe->host.len,
                    probe->host.s,
                    (int)probe->build.len,
                    probe->build.s,
                    probe->protocol_major,
                    probe->protocol_minor);
    }
    uint32_t given = allow_payload(server, probe->want);
    struct wire_message echo = echo_of(server, probe);
    /* A clock that was set back in between would make the one earlier than the other. */
    uint64_t sent_us = clock_us();
    echo.as.echo.received_us = received_us;
    echo.as.echo.sent_us = sent_us > received_us ? sent_us : received_us;
    server_send_plain(server, address, &echo, given);
}

uint64_t server_doctors(const struct server *server)
{
    return server->stats.doctors;
}
