/* The server with keys: whom it lets in, and a worker whose key was taken back and that stays
 * connected, which an honest one does not do. Real sockets on the loopback; the worker is a thread. */
#include "common/base/check.h"
#include "common/io/zap.h"
#include "coordinator/server/keyring.h"
#include "coordinator/server/server_internal.h"
#include "tests/coordinator/server/fake_worker.h"

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { LIMIT_US = 20 * 1000 * 1000, HEARTBEAT_MS = 100 };

struct scene {
    char directory[64];
    struct stage stage;
    struct server *server;
    struct fake_worker fake;
    struct key_pair pair; /* of the worker */
    uint32_t minor;       /* of the protocol that it speaks */
    uint32_t told_ms;     /* how often life signs are expected of it */
    uint32_t reasons[3];  /* why it was refused, then its next HELLO, then its PROBE */
    bool ended;
    pthread_t thread;
};

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    return remove(path);
}

static int setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    struct err_text error = {{0}};
    char name[KEY_NAME_SIZE];
    bool made;
    *state = scene;
    assert_non_null(scene);
    scene->minor = WIRE_PROTOCOL_MINOR;
    (void)snprintf(scene->directory, sizeof(scene->directory), "/tmp/quartet-server-XXXXXX");
    assert_non_null(mkdtemp(scene->directory));
    assert_int_equal(stage_init(&scene->stage, NULL, &error), 0);
    assert_int_equal(keyring_make(scene->directory, &made, &error), 0);
    assert_int_equal(keyring_add_worker(scene->directory, "ada", &made, &error), 0);
    assert_int_equal(keyring_read_worker(scene->directory, "ada", &error, &scene->pair, name), 0);
    const struct server_options options = {.endpoint = "tcp://127.0.0.1:*",
                                           .keys = scene->directory,
                                           .heartbeat_ms = HEARTBEAT_MS,
                                           .workers_max = 4,
                                           .quiet = true};
    assert_int_equal(server_new(&scene->stage, &options, &error, &scene->server), 0);
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    server_free(scene->server);
    stage_deinit(&scene->stage);
    int rc = nftw(scene->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(scene);
    return rc;
}

static bool has_worker(void *arg)
{
    const struct scene *scene = arg;
    return server_workers(scene->server) == 1;
}

static bool has_none(void *arg)
{
    const struct scene *scene = arg;
    return server_workers(scene->server) == 0;
}

static bool has_ended(void *arg)
{
    const struct scene *scene = arg;
    return __atomic_load_n(&scene->ended, __ATOMIC_ACQUIRE);
}

/* Registers, is refused, says HELLO again on the connection that it has, and is refused again; and cannot be a doctor
 * either. */
static void *cling(void *arg)
{
    struct scene *scene = arg;
    struct wire_message message;
    const struct zsock_keys keys = {.own = &scene->pair,
                                    .server_key = server_public_key(scene->server)};
    fake_worker_open_with(&scene->fake, server_endpoint(scene->server), &keys);
    fake_worker_register(&scene->fake, WIRE_PROTOCOL_MINOR);
    fake_worker_wait_for(&scene->fake, WIRE_REJECT, &message);
    scene->reasons[0] = message.as.reject.reason;
    fake_worker_hello(&scene->fake, WIRE_PROTOCOL_MINOR);
    fake_worker_wait_for(&scene->fake, WIRE_REJECT, &message);
    scene->reasons[1] = message.as.reject.reason;
    message = (struct wire_message){.type = WIRE_PROBE};
    message.as.probe = (struct wire_probe){.protocol_major = WIRE_PROTOCOL_MAJOR};
    fake_worker_send(&scene->fake, &message, NULL, 0);
    fake_worker_wait_for(&scene->fake, WIRE_REJECT, &message);
    scene->reasons[2] = message.as.reject.reason;
    fake_worker_close(&scene->fake);
    __atomic_store_n(&scene->ended, true, __ATOMIC_RELEASE);
    return NULL;
}

static void test_server_keys_ends_a_session_whose_key_was_taken_back(void **state)
{
    struct scene *scene = *state;
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/authorized/ada.pub", scene->directory);
    assert_int_equal(pthread_create(&scene->thread, NULL, cling, scene), 0);
    assert_int_equal(stage_wait(&scene->stage, has_worker, scene, LIMIT_US), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(stage_wait(&scene->stage, has_none, scene, LIMIT_US), 0);
    assert_int_equal(stage_wait(&scene->stage, has_ended, scene, LIMIT_US), 0);
    assert_int_equal(pthread_join(scene->thread, NULL), 0);
    assert_int_equal(server_workers(scene->server), 0);
    assert_int_equal(scene->reasons[0], WIRE_REASON_KEY);
    assert_int_equal(scene->reasons[1], WIRE_REASON_KEY);
    assert_int_equal(scene->reasons[2], WIRE_REASON_KEY);
}

static void *visit(void *arg)
{
    struct scene *scene = arg;
    const struct zsock_keys keys = {.own = &scene->pair,
                                    .server_key = server_public_key(scene->server)};
    struct wire_message message;
    fake_worker_open_with(&scene->fake, server_endpoint(scene->server), &keys);
    fake_worker_register(&scene->fake, scene->minor);
    fake_worker_wait_for(&scene->fake, WIRE_HEARTBEAT, &message);
    scene->told_ms = message.as.heartbeat.heartbeat_ms;
    message = (struct wire_message){.type = WIRE_BYE};
    fake_worker_send(&scene->fake, &message, NULL, 0);
    fake_worker_close(&scene->fake);
    return NULL;
}

static void visit_once(struct scene *scene)
{
    assert_int_equal(pthread_create(&scene->thread, NULL, visit, scene), 0);
    assert_int_equal(stage_wait(&scene->stage, has_worker, scene, LIMIT_US), 0);
    assert_int_equal(stage_wait(&scene->stage, has_none, scene, LIMIT_US), 0);
    assert_int_equal(pthread_join(scene->thread, NULL), 0);
}

static void test_server_tells_how_often_life_signs_are_expected_to_who_understands_it(void **state)
{
    struct scene *scene = *state;
    scene->minor = WIRE_MINOR_TEMPO;
    visit_once(scene);
    assert_int_equal(scene->told_ms, HEARTBEAT_MS);
    scene->minor = WIRE_MINOR_TEMPO - 1;
    visit_once(scene);
    assert_int_equal(scene->told_ms, 0);
}

static void test_server_keys_lets_in_whom_it_admits_for_as_long_as_it_does(void **state)
{
    struct scene *scene = *state;
    struct key_pair second;
    char path[128];
    assert_int_equal(server_admit(scene->server, "local-1", NULL, &scene->pair), 0);
    assert_int_equal(server_admit(scene->server, "local-2", NULL, &second), 0);
    visit_once(scene);
    server_dismiss(scene->server, "local-1");
    server_dismiss(scene->server, "local-1"); /* nobody any more */
    scene->pair = second;
    visit_once(scene);
    /* the directory has no part in it */
    (void)snprintf(path, sizeof(path), "%s/authorized/ada.pub", scene->directory);
    assert_int_equal(unlink(path), 0);
    visit_once(scene);
}

static bool is_allowed(void *arg)
{
    const struct scene *scene = arg;
    return server_key_is_allowed(scene->server, scene->pair.public_key);
}

static bool is_left_out(void *arg)
{
    return !is_allowed(arg);
}

/* Which the directory's time does not tell of. */
static void test_server_keys_takes_a_key_whose_mode_was_mended(void **state)
{
    struct scene *scene = *state;
    const struct timespec long_ago[] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    char directory[96];
    char path[128];
    (void)snprintf(directory, sizeof(directory), "%s/authorized", scene->directory);
    (void)snprintf(path, sizeof(path), "%s/ada.pub", directory);
    assert_int_equal(chmod(path, 0666), 0);
    assert_int_equal(utimensat(AT_FDCWD, directory, long_ago, 0), 0);
    assert_int_equal(stage_wait(&scene->stage, is_left_out, scene, LIMIT_US), 0);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(stage_wait(&scene->stage, is_allowed, scene, LIMIT_US), 0);
    visit_once(scene);
}

static void test_server_keys_that_are_not_there_are_refused(void **state)
{
    struct scene *scene = *state;
    struct server *server = NULL;
    struct err_text error = {{0}};
    const struct server_options options = {.endpoint = "tcp://127.0.0.1:*",
                                           .keys = "/nonexistent",
                                           .heartbeat_ms = HEARTBEAT_MS,
                                           .workers_max = 4,
                                           .quiet = true};
    assert_int_equal(server_new(&scene->stage, &options, &error, &server), ERR_INVALID);
    assert_null(server);
    assert_non_null(strstr(error.s, "quartet keygen"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_server_keys_ends_a_session_whose_key_was_taken_back),
        TEST(test_server_tells_how_often_life_signs_are_expected_to_who_understands_it),
        TEST(test_server_keys_lets_in_whom_it_admits_for_as_long_as_it_does),
        TEST(test_server_keys_takes_a_key_whose_mode_was_mended),
        TEST(test_server_keys_that_are_not_there_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
