/* Connections as TCP makes them: what is sent on one arrives in order or not at all, nothing is ordered between two, and words that were
 * under way may arrive long after the connection has broken. */
#include "common/base/check.h"
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

enum { TO_SERVER = 0, TO_WORKER = 1 };

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

static struct sim_message *double_of(const struct sim_message *message)
{
    struct sim_message *copy = sim_message_new(message->type, message->session, message->job);
    *copy = *message;
    copy->chunks = copy_of(message->chunks, message->count * sizeof(*message->chunks));
    copy->results = copy_of(message->results, message->count * sizeof(*message->results));
    copy->ids = copy_of(message->ids, message->count * sizeof(*message->ids));
    return copy;
}

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

void sim_disconnect(struct sim *sim, uint64_t id, bool all_arrives)
{
    struct sim_connection *connection = connection_of(sim, id);
    if (!connection->up) {
        return;
    }
    connection->up = false;
    if (!all_arrives) {
        connection->cut_us = sim->now_us + sim_between(sim, 0, 2 * sim->plan.delay_us_max);
    }
    if (!sim_chance(sim, sim->plan.unnoticed_per_mille)) {
        sim_at(sim, sim->now_us + 5000, (struct sim_entry){.kind = SIM_PROBE});
    }
    sim_trace(
        sim, "connection %llu of worker %u is down", (unsigned long long)id, connection->worker);
}

/* Mostly quick, sometimes slow. */
static uint64_t arrival_us(struct sim *sim, struct sim_connection *connection, int direction)
{
    uint64_t delay_us = sim_between(sim, 10, 200);
    if (!sim->calm && sim_chance(sim, 100)) {
        delay_us = sim_between(sim, 10, sim->plan.delay_us_max);
    }
    uint64_t time_us = sim->now_us + delay_us;
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
    sim_at(sim, arrival_us(sim, connection, direction), entry);
    if (!sim->calm && sim_chance(sim, sim->plan.double_per_mille)) {
        entry.message = double_of(message);
        sim_at(sim, arrival_us(sim, connection, direction), entry);
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
    if (entry->kind == SIM_TO_SERVER) {
        return sim->now_us <= connection->cut_us;
    }
    return connection->up && sim->workers[entry->worker].connection == entry->connection;
}
