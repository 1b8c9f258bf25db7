/* Connections as TCP makes them: what is sent on one arrives in order or not at all, nothing is ordered between two, and words that were
 * under way may arrive long after the connection has broken. */
#include "tests/sim/sim_network.h"

#include "common/base/check.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

enum { TO_SERVER = 0, TO_WORKER = 1 };

/* About what a message takes on the wire: a header, and so much for each entry of its table. */
enum { HEADER_BYTES = 40, ENTRY_BYTES = 24 };

void sim_network_init(struct sim_network *network, uint32_t workers)
{
    size_t size = workers * sizeof(*network->links);
    *network = (struct sim_network){.links = memset(sim_realloc(NULL, size), 0, size)};
}

void sim_network_deinit(struct sim_network *network)
{
    free(network->links);
    free(network->connections);
}

/* --- messages --- */

struct sim_message *sim_message_new(enum wire_type type, uint64_t session, uint64_t job)
{
    struct sim_message *message = sim_realloc(NULL, sizeof(*message));
    *message = (struct sim_message){.type = type, .session = session, .job = job};
    return message;
}

void sim_message_free(struct sim_message *message)
{
    if (message != NULL) {
        free(message->chunks);
        free(message->results);
        free(message->ids);
        free(message);
    }
}

static void *copy_of(const void *list, size_t size)
{
    return list == NULL || size == 0 ? NULL : memcpy(sim_realloc(NULL, size), list, size);
}

struct sim_message *sim_message_copy(const struct sim_message *message)
{
    struct sim_message *copy = sim_message_new(message->type, message->session, message->job);
    *copy = *message;
    copy->chunks = copy_of(message->chunks, message->count * sizeof(*message->chunks));
    copy->results = copy_of(message->results, message->count * sizeof(*message->results));
    copy->ids = copy_of(message->ids, message->count * sizeof(*message->ids));
    return copy;
}

static uint64_t bytes_of(const struct sim *sim, const struct sim_message *message)
{
    uint64_t bytes = HEADER_BYTES + ENTRY_BYTES * (uint64_t)message->count;
    bool results = message->type == WIRE_RESULTS && message->job - 1 < sim->plan.job_count;
    for (size_t i = message->lies; results && i < message->count; i++) {
        const struct tally *tally = &message->results[i].tally;
        bytes += (tally->ok + tally->failed) * sim->plan.jobs[message->job - 1].record_bytes;
    }
    return bytes;
}

/* --- connections --- */

static struct sim_connection *connection_of(const struct sim *sim, uint64_t id)
{
    CHECK(id > 0 && id <= sim->network.count);
    return &sim->network.connections[id - 1];
}

uint64_t sim_connect(struct sim *sim, uint32_t worker)
{
    struct sim_network *network = &sim->network;
    if (network->count == network->capacity) {
        network->capacity = network->capacity > 0 ? network->capacity * 2 : 16;
        network->connections = sim_realloc(network->connections,
                                           network->capacity * sizeof(*network->connections));
    }
    network->connections[network->count++] = (struct sim_connection){
        .worker = worker, .up = true, .cut_us = UINT64_MAX};
    return network->count;
}

void sim_disconnect(struct sim *sim, uint64_t id, enum sim_rest rest)
{
    struct sim_connection *connection = connection_of(sim, id);
    if (!connection->up) {
        return;
    }
    connection->up = false;
    if (rest == SIM_REST_IS_LOST) {
        connection->dead = true;
    } else if (rest == SIM_REST_PARTLY_ARRIVES) {
        connection->cut_us = sim->now_us + sim_between(sim, 0, 2 * sim->plan.delay_us_max);
    }
    if (!sim_chance(sim, sim->plan.unnoticed_per_mille)) {
        sim_at(sim, sim->now_us + 5000, sim_server_entry(sim, SIM_PROBE, id));
    }
    sim_trace(
        sim, "connection %llu of worker %u is down", (unsigned long long)id, connection->worker);
}

/* When the last byte of a message is through a link. */
static uint64_t through_us(struct sim *sim,
                           struct sim_link *link,
                           int direction,
                           const struct sim_message *message)
{
    if (sim->now_us >= link->slow_until_us) {
        return sim->now_us;
    }
    uint64_t *busy_until_us = &link->busy_until_us[direction];
    uint64_t from_us = *busy_until_us > sim->now_us ? *busy_until_us : sim->now_us;
    *busy_until_us = from_us + bytes_of(sim, message) * 1000 / link->bytes_per_ms;
    return *busy_until_us;
}

/* Mostly quick, sometimes slow. */
static uint64_t arrival_us(struct sim *sim,
                           struct sim_connection *connection,
                           int direction,
                           const struct sim_message *message)
{
    uint64_t delay_us = sim_between(sim, 10, 200);
    if (!sim->calm && sim_chance(sim, 100)) {
        delay_us = sim_between(sim, 10, sim->plan.delay_us_max);
    }
    struct sim_link *link = &sim->network.links[connection->worker];
    uint64_t time_us = through_us(sim, link, direction, message) + delay_us;
    if (time_us < connection->last_us[direction]) {
        time_us = connection->last_us[direction];
    }
    connection->last_us[direction] = time_us;
    return time_us;
}

static void send(struct sim *sim, uint64_t id, enum sim_kind kind, struct sim_message *message)
{
    struct sim_connection *connection = connection_of(sim, id);
    int direction = kind == SIM_TO_SERVER ? TO_SERVER : TO_WORKER;
    struct sim_entry entry = {.kind = kind, .worker = connection->worker, .connection = id};
    entry.message = message;
    sim_at(sim, arrival_us(sim, connection, direction, message), entry);
    if (!sim->calm && sim_chance(sim, sim->plan.double_per_mille)) {
        entry.message = sim_message_copy(message);
        sim_at(sim, arrival_us(sim, connection, direction, message), entry);
    }
}

bool sim_send_to_worker(struct sim *sim, uint64_t id, struct sim_message *message)
{
    if (connection_of(sim, id)->up) {
        send(sim, id, SIM_TO_WORKER, message);
        return true;
    }
    sim_message_free(message);
    return false;
}

void sim_send_to_server(struct sim *sim, uint64_t id, struct sim_message *message)
{
    if (id != 0 && connection_of(sim, id)->up) {
        send(sim, id, SIM_TO_SERVER, message);
    } else {
        sim_message_free(message);
    }
}

bool sim_arrives(const struct sim *sim, const struct sim_entry *entry)
{
    const struct sim_connection *connection = connection_of(sim, entry->connection);
    if (connection->dead) {
        return false;
    }
    if (entry->kind == SIM_TO_SERVER) {
        return sim->now_us <= connection->cut_us;
    }
    return connection->up && sim->workers[entry->worker].connection == entry->connection;
}

/* --- links --- */

void sim_link_cut(struct sim *sim, uint32_t worker, uint64_t for_us, bool loss)
{
    struct sim_link *link = &sim->network.links[worker];
    uint64_t until_us = sim->now_us + for_us;
    uint64_t id = sim->workers[worker].connection;
    link->cut_until_us = until_us > link->cut_until_us ? until_us : link->cut_until_us;
    if (loss && id != 0) {
        connection_of(sim, id)->dead = true;
        sim_at(sim,
               link->cut_until_us,
               (struct sim_entry){.kind = SIM_HEALED, .worker = worker, .connection = id});
    }
}

uint64_t sim_link_cut_until_us(const struct sim *sim, uint32_t worker)
{
    return sim->network.links[worker].cut_until_us;
}

/* From a modem's speed to that of a slow office line. */
void sim_link_slow(struct sim *sim, uint32_t worker, uint64_t for_us)
{
    struct sim_link *link = &sim->network.links[worker];
    link->slow_until_us = sim->now_us + for_us;
    link->bytes_per_ms = sim_between(sim, 5, 1000);
}
