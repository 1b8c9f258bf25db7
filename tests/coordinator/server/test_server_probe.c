/* The server and doctors: each question is answered, nobody is registered for it, and there is a limit to what
 * doctors may cost. Real sockets on the loopback; the doctor is a thread. */
#include "common/base/check.h"
#include "coordinator/server/server.h"
#include "tests/coordinator/server/fake_worker.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    LIMIT_US = 60 * 1000 * 1000,
    MANY = 6000,
    AT_ONCE = 4096, /* as server_probe.c has it */
    EACH_US = 1000, /* likewise */
    GIVEN_AT_ONCE = 64 * 1024 * 1024,
    GIVEN_PER_S = 4 * 1024 * 1024 + 512 * 1024, /* and a little: 16 KiB each 4 ms */
};

struct scene {
    struct stage stage;
    struct server *server;
    struct fake_worker fake;
    struct wire_message probe;
    size_t payload_len;
    unsigned count; /* of PROBEs to be said */
    bool ended;
    /* what came of it */
    unsigned answered;
    uint64_t payload_sum;
    struct wire_echo last; /* its texts are gone */
    char host[64];
    uint64_t took_us;
};

static int setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    struct err_text error = {{0}};
    const struct server_options options = {
        .endpoint = "tcp://127.0.0.1:*",
        .heartbeat_ms = 1000,
        .workers_max = 4,
        .quiet = true,
    };
    assert_non_null(scene);
    assert_int_equal(stage_init(&scene->stage, NULL, &error), 0);
    assert_int_equal(server_new(&scene->stage, &options, &error, &scene->server), 0);
    scene->count = 1;
    scene->probe = (struct wire_message){
        .type = WIRE_PROBE,
        .as.probe = {.protocol_major = WIRE_PROTOCOL_MAJOR,
                     .protocol_minor = WIRE_PROTOCOL_MINOR,
                     .build = wire_text("fake"),
                     .host = wire_text("nowhere")},
    };
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    server_free(scene->server);
    stage_deinit(&scene->stage);
    free(scene);
    return 0;
}

static void note_echo(struct scene *scene, const struct wire_message *message)
{
    if (message->type != WIRE_ECHO) {
        return;
    }
    scene->answered++;
    scene->payload_sum += scene->fake.payload_len;
    scene->last = message->as.echo;
    (void)snprintf(scene->host,
                   sizeof(scene->host),
                   "%.*s",
                   (int)message->as.echo.host.len,
                   message->as.echo.host.s);
}

/* All the questions, and then one that is always answered, behind all answers: a worker's. */
static void *ask(void *arg)
{
    static char payload[WIRE_PROBE_MAX];
    struct scene *scene = arg;
    struct wire_message message;
    uint64_t begun_us = stage_now_us();
    fake_worker_open(&scene->fake, server_endpoint(scene->server));
    for (unsigned i = 0; i < scene->count; i++) {
        scene->probe.as.probe.seq = i + 1;
        fake_worker_send(&scene->fake,
                         &scene->probe,
                         scene->payload_len > 0 ? payload : NULL,
                         scene->payload_len);
    }
    fake_worker_hello(&scene->fake, WIRE_PROTOCOL_MINOR);
    do {
        fake_worker_wait_for_any(&scene->fake, &message);
        note_echo(scene, &message);
    } while (message.type != WIRE_WELCOME);
    scene->took_us = stage_now_us() - begun_us;
    fake_worker_close(&scene->fake);
    __atomic_store_n(&scene->ended, true, __ATOMIC_RELEASE);
    return NULL;
}

static bool has_ended(void *arg)
{
    const struct scene *scene = arg;
    return __atomic_load_n(&scene->ended, __ATOMIC_ACQUIRE);
}

static void let_ask(struct scene *scene)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ask, scene), 0);
    assert_int_equal(stage_wait(&scene->stage, has_ended, scene, LIMIT_US), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void test_server_answers_a_probe_and_registers_nobody(void **state)
{
    struct scene *scene = *state;
    char host[64] = "";
    CHECK(gethostname(host, sizeof(host) - 1) == 0);
    scene->payload_len = 5000;
    let_ask(scene);
    assert_int_equal(scene->answered, 1);
    assert_int_equal(scene->last.seq, 1);
    assert_int_equal(scene->last.protocol_major, WIRE_PROTOCOL_MAJOR);
    assert_int_equal(scene->last.protocol_minor, WIRE_PROTOCOL_MINOR);
    assert_int_equal(scene->last.got, 5000);
    assert_int_equal(scene->last.workers, 0);
    assert_int_equal(scene->last.workers_max, 4);
    assert_true(scene->last.files_left > 0 && scene->last.files_left < scene->last.files_max);
    assert_true(scene->last.sent_us >= scene->last.received_us);
    assert_false(scene->last.running);
    assert_string_equal(scene->host, host);
    assert_int_equal(scene->payload_sum, 0);
}

static void test_server_sends_back_as_much_as_is_wanted(void **state)
{
    struct scene *scene = *state;
    scene->probe.as.probe.want = 100001;
    let_ask(scene);
    assert_int_equal(scene->payload_sum, 100001);
}

static void test_server_sends_back_no_more_than_it_may(void **state)
{
    struct scene *scene = *state;
    scene->probe.as.probe.want = WIRE_PROBE_MAX;
    scene->count = 200;
    let_ask(scene);
    assert_int_equal(scene->answered, 200);
    assert_true(scene->payload_sum >= GIVEN_AT_ONCE);
    assert_true(scene->payload_sum <=
                GIVEN_AT_ONCE + (scene->took_us / 1000 + 1000) * GIVEN_PER_S / 1000);
}

static void test_server_passes_over_a_flood_of_probes(void **state)
{
    struct scene *scene = *state;
    scene->count = MANY;
    let_ask(scene);
    assert_true(scene->answered >= AT_ONCE);
    assert_true(scene->answered <= AT_ONCE + scene->took_us / EACH_US + 1);
}

static void test_server_answers_another_major_version_with_its_own(void **state)
{
    struct scene *scene = *state;
    scene->probe.as.probe.protocol_major = WIRE_PROTOCOL_MAJOR + 1;
    let_ask(scene);
    assert_int_equal(scene->answered, 1);
    assert_int_equal(scene->last.protocol_major, WIRE_PROTOCOL_MAJOR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_server_answers_a_probe_and_registers_nobody),
        TEST(test_server_sends_back_as_much_as_is_wanted),
        TEST(test_server_sends_back_no_more_than_it_may),
        TEST(test_server_passes_over_a_flood_of_probes),
        TEST(test_server_answers_another_major_version_with_its_own),
    };
    return cmocka_run_group_tests_name("server_probe", tests, NULL, NULL);
}
