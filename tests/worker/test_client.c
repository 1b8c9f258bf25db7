/* The worker's shell against a coordinator that says what the test wants: plugins that are fetched,
 * kept, refused; flags; records on their way out. Both ends are real sockets on the loopback. */
#include "common/base/check.h"
#include "common/base/record.h"
#include "common/io/hash.h"
#include "tests/worker/fake_coordinator.h"
#include "worker/client.h"
#include "worker/engine/engine.h"
#include "worker/workloads/plugin.h"
#include "worker/workloads/registry.h"

#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { PLUGIN_SIZE = WIRE_PART_MAX + 12345, JOB = 5, PATH_SIZE = 256, ITEMS_EACH = 10 };

struct scene {
    struct fake_coordinator fake;
    void (*play)(struct scene *scene);
    struct client_options options;
    char cache[PATH_SIZE];
    unsigned char *plugin;
    unsigned char hash[HASH_SIZE];
    struct workload_ops workload; /* what the plugin turns out to have */
    const char *load_error;       /* or why it cannot be loaded */
    bool hangs;                   /* it does not come back until `let_go` */
    sem_t let_go;
    sem_t came_back;
    const char *note;   /* what the workload has to say */
    bool with_records;  /* the engine makes records */
    bool records_asked; /* by the last engine's options */
    size_t loads;
    char error[WIRE_TEXT_MAX + 1]; /* of READY */
};

/* Of the test that runs: what is wrapped has no other way to it. */
static struct scene *current;

int __wrap_plugin_load(const char *path,
                       struct err_text *ret_error,
                       const struct workload_ops **ret_workload);

/* In place of the real one: the file must be the plugin's bytes. */
int __wrap_plugin_load(const char *path,
                       struct err_text *ret_error,
                       const struct workload_ops **ret_workload)
{
    FILE *file = fopen(path, "rb");
    unsigned char *bytes = malloc(PLUGIN_SIZE + 1);
    CHECK(path[0] == '/' && file != NULL && bytes != NULL);
    CHECK(fread(bytes, 1, PLUGIN_SIZE + 1, file) == PLUGIN_SIZE);
    CHECK(memcmp(bytes, current->plugin, PLUGIN_SIZE) == 0);
    (void)fclose(file);
    free(bytes);
    current->loads++;
    if (current->hangs) {
        while (sem_wait(&current->let_go) != 0) {
        }
        CHECK(sem_post(&current->came_back) == 0);
    }
    if (current->load_error != NULL) {
        return err_set(ret_error, ERR_INVALID, "%s", current->load_error);
    }
    *ret_workload = &current->workload;
    return 0;
}

int __real_engine_new(const struct engine_options *options,
                      struct err_text *ret_error,
                      struct engine **ret_engine);
int __wrap_engine_new(const struct engine_options *options,
                      struct err_text *ret_error,
                      struct engine **ret_engine);

int __wrap_engine_new(const struct engine_options *options,
                      struct err_text *ret_error,
                      struct engine **ret_engine)
{
    current->records_asked = options->records;
    if (current->note != NULL) {
        options->note(options->note_arg, current->note);
    }
    return __real_engine_new(options, ret_error, ret_engine);
}

size_t __real_engine_take(struct engine *engine, struct chunk_result *ret_results, size_t max);
size_t __wrap_engine_take(struct engine *engine, struct chunk_result *ret_results, size_t max);

/* Results with records, each of a blob of its own, behind some bytes that are none. */
size_t __wrap_engine_take(struct engine *engine, struct chunk_result *ret_results, size_t max)
{
    enum { BEFORE = 5, SIZE = BEFORE + ITEMS_EACH * RECORD_HEAD_SIZE };

    size_t count = __real_engine_take(engine, ret_results, max);
    for (size_t i = 0; current->with_records && i < count; i++) {
        char *bytes = calloc(1, SIZE);
        CHECK(bytes != NULL);
        for (uint64_t k = 0; k < ITEMS_EACH; k++) {
            const struct record record = {.flags = RECORD_HAS_VALUE,
                                          .value = ret_results[i].id.value * 1000 + k};
            record_write(&record, bytes + BEFORE + k * RECORD_HEAD_SIZE);
        }
        blob_unref(ret_results[i].records);
        ret_results[i].records = blob_new(bytes, SIZE, NULL, NULL);
        ret_results[i].records_offset = BEFORE;
        ret_results[i].records_len = SIZE - BEFORE;
    }
    return count;
}

/* --- the stage --- */

static int setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    struct hash *hash = hash_new();
    CHECK(scene != NULL && hash != NULL);
    scene->plugin = malloc(PLUGIN_SIZE);
    CHECK(scene->plugin != NULL);
    for (size_t i = 0; i < PLUGIN_SIZE; i++) {
        scene->plugin[i] = (unsigned char)(i * 3 + i / 777);
    }
    hash_add(hash, scene->plugin, PLUGIN_SIZE);
    hash_finish(hash, scene->hash);
    hash_free(hash);
    CHECK(sem_init(&scene->let_go, 0, 0) == 0 && sem_init(&scene->came_back, 0, 0) == 0);
    scene->workload = *workload_find("noop");
    scene->workload.name = "thumbs";
    (void)snprintf(scene->cache, sizeof(scene->cache), "/tmp/quartet-test-XXXXXX");
    CHECK(mkdtemp(scene->cache) != NULL);
    CHECK(setenv("XDG_CACHE_HOME", scene->cache, 1) == 0);
    fake_coordinator_open(&scene->fake);
    scene->options = (struct client_options){.endpoint = scene->fake.endpoint,
                                             .name = "tester",
                                             .credit_max = 64,
                                             .load_limit_s = 10,
                                             .allow_plugins = true,
                                             .allow_exec = true,
                                             .quiet = true};
    *state = scene;
    current = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    char command[PATH_SIZE];
    (void)snprintf(command, sizeof(command), "rm -rf '%.64s'", scene->cache);
    (void)!system(command);
    free(scene->plugin);
    free(scene);
    return 0;
}

static void *be_coordinator(void *arg)
{
    struct scene *scene = arg;
    fake_coordinator_welcome(&scene->fake);
    scene->play(scene);
    fake_coordinator_say_bye(&scene->fake);
    fake_coordinator_close(&scene->fake);
    return NULL;
}

/* Let the worker live until the coordinator has played its part and said BYE. */
static void run(struct scene *scene, void (*play)(struct scene *scene))
{
    pthread_t thread;
    scene->play = play;
    assert_int_equal(pthread_create(&thread, NULL, be_coordinator, scene), 0);
    assert_int_equal(client_run(&scene->options, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* Files in the cache. */
static size_t count_kept(const struct scene *scene)
{
    char path[2 * PATH_SIZE];
    size_t count = 0;
    (void)snprintf(path, sizeof(path), "%s/quartet/plugins", scene->cache);
    DIR *directory = opendir(path);
    CHECK(directory != NULL);
    while (readdir(directory) != NULL) {
        count++;
    }
    (void)closedir(directory);
    return count - 2; /* "." and ".." */
}

/* --- what a coordinator says --- */

static void send_job(struct scene *scene, uint64_t job, bool plugin)
{
    struct wire_message message = {.type = WIRE_JOB, .job = job};
    message.as.job_spec = (struct wire_job){.workload = wire_text(plugin ? "thumbs" : "noop"),
                                            .strategy = STRATEGY_SERIAL,
                                            .records = scene->with_records};
    if (plugin) {
        message.as.job_spec.plugin_hash = (struct wire_text){(const char *)scene->hash, HASH_SIZE};
        message.as.job_spec.plugin_size = PLUGIN_SIZE;
    }
    fake_coordinator_send(&scene->fake, &message, NULL, 0);
}

static void send_cancel(struct scene *scene, uint64_t job)
{
    struct wire_message message = {.type = WIRE_CANCEL, .job = job};
    fake_coordinator_send(&scene->fake, &message, NULL, 0);
}

/* A FETCH from `offset` on must come. */
static void expect_fetch(struct scene *scene, uint64_t job, uint64_t offset)
{
    struct wire_message message;
    fake_coordinator_expect(&scene->fake, WIRE_FETCH, &message);
    CHECK(message.session == scene->fake.session && message.job == job);
    CHECK(memcmp(message.as.fetch.hash.s, scene->hash, HASH_SIZE) == 0);
    CHECK(message.as.fetch.offset == offset);
}

static void send_part(struct scene *scene, uint64_t job, uint64_t offset, size_t len)
{
    struct wire_message message = {.type = WIRE_PART, .job = job};
    message.as.fetch.hash = (struct wire_text){(const char *)scene->hash, HASH_SIZE};
    message.as.fetch.offset = offset;
    fake_coordinator_send(&scene->fake, &message, scene->plugin + offset, len);
}

static void give_plugin(struct scene *scene)
{
    expect_fetch(scene, JOB, 0);
    send_part(scene, JOB, 0, WIRE_PART_MAX);
    expect_fetch(scene, JOB, WIRE_PART_MAX);
    send_part(scene, JOB, WIRE_PART_MAX, PLUGIN_SIZE - WIRE_PART_MAX);
}

/* READY must come, with credit or with an error. */
static void expect_ready(struct scene *scene)
{
    struct wire_message message;
    fake_coordinator_expect(&scene->fake, WIRE_READY, &message);
    const struct wire_ready *ready = &message.as.ready;
    CHECK((ready->error.len == 0) == (ready->credit > 0));
    (void)snprintf(
        scene->error, sizeof(scene->error), "%.*s", (int)ready->error.len, ready->error.s);
}

/* Two chunks out, and their results, which may come one by one; the records of all lie in
 * fake->payload of the last one. */
static uint64_t run_two_chunks(struct scene *scene, uint64_t job)
{
    const uint64_t id[] = {1, 2};
    const uint64_t first[] = {0, ITEMS_EACH};
    const uint64_t items[] = {ITEMS_EACH, ITEMS_EACH};
    const uint32_t attempt[] = {1, 1};
    struct wire_message message = {.type = WIRE_CHUNKS, .job = job};
    message.as.chunks = (struct wire_chunks){
        .count = 2, .id = id, .first = first, .items = items, .attempt = attempt};
    fake_coordinator_send(&scene->fake, &message, NULL, 0);
    uint64_t sum = 0;
    for (size_t done = 0; done < 2;) {
        fake_coordinator_expect(&scene->fake, WIRE_RESULTS, &message);
        const struct wire_results *results = &message.as.results;
        const char *at = (const char *)scene->fake.payload;
        size_t len = 0;
        CHECK((results->records_len != NULL) == (scene->with_records && results->count > 0));
        for (size_t i = 0; i < results->count; i++) {
            CHECK(results->ok[i] == ITEMS_EACH);
            if (results->records_len == NULL) {
                continue;
            }
            CHECK(records_valid(at + len, results->records_len[i], ITEMS_EACH));
            struct record_cursor cursor;
            struct record record;
            record_cursor_init(&cursor, at + len, ITEMS_EACH);
            for (uint64_t k = 0; record_cursor_next(&cursor, &record); k++) {
                CHECK(record.value == results->id[i] * 1000 + k);
                sum += record.value;
            }
            len += results->records_len[i];
        }
        CHECK(len == scene->fake.payload_len);
        done += results->count;
    }
    return sum;
}

/* --- plugins --- */

static void play_plugin(struct scene *scene)
{
    send_job(scene, JOB, true);
    give_plugin(scene);
    expect_ready(scene);
    CHECK(scene->error[0] == '\0');
    (void)run_two_chunks(scene, JOB);
    /* What is kept is not asked for again. */
    send_cancel(scene, JOB);
    send_job(scene, JOB + 1, true);
    expect_ready(scene);
    (void)run_two_chunks(scene, JOB + 1);
}

static void test_client_fetches_a_plugin_once_and_runs_it(void **state)
{
    struct scene *scene = *state;
    run(scene, play_plugin);
    assert_string_equal(scene->error, "");
    assert_int_equal(scene->loads, 2);
    assert_int_equal(count_kept(scene), 1);
}

static void play_refused_job(struct scene *scene)
{
    send_job(scene, JOB, true);
    expect_ready(scene);
}

static void play_refused_plugin(struct scene *scene)
{
    send_job(scene, JOB, true);
    give_plugin(scene);
    expect_ready(scene);
}

static void test_client_takes_no_plugin_without_the_flag(void **state)
{
    struct scene *scene = *state;
    scene->options.allow_plugins = false;
    run(scene, play_refused_job);
    assert_string_equal(scene->error,
                        "workload 'thumbs' comes as a plugin, and this worker was started without "
                        "--allow-plugins");
    assert_int_equal(scene->loads, 0);
}

static void test_client_runs_no_command_without_the_flag(void **state)
{
    struct scene *scene = *state;
    scene->options.allow_exec = false;
    scene->workload.traits |= WORKLOAD_COMMAND;
    run(scene, play_refused_plugin);
    assert_string_equal(
        scene->error,
        "workload 'thumbs' runs commands, and this worker was started without --allow-exec");
}

static void test_client_runs_commands_with_the_flag(void **state)
{
    struct scene *scene = *state;
    scene->workload.traits |= WORKLOAD_COMMAND;
    run(scene, play_plugin);
    assert_string_equal(scene->error, "");
}

static void test_client_tells_why_a_plugin_cannot_be_loaded(void **state)
{
    struct scene *scene = *state;
    scene->load_error = "it is of another architecture";
    run(scene, play_refused_plugin);
    assert_string_equal(scene->error, "it is of another architecture");
}

static void let_plugin_come_back(struct scene *scene)
{
    CHECK(sem_post(&scene->let_go) == 0);
    while (sem_wait(&scene->came_back) != 0) {
    }
}

/* The loop talks meanwhile: a job that needs no plugin can follow. */
static void play_hanging_plugin(struct scene *scene)
{
    send_job(scene, JOB, true);
    give_plugin(scene);
    expect_ready(scene);
    send_cancel(scene, JOB);
    send_job(scene, JOB + 1, false);
    struct wire_message message;
    fake_coordinator_expect(&scene->fake, WIRE_READY, &message);
    CHECK(message.as.ready.error.len == 0);
    (void)run_two_chunks(scene, JOB + 1);
    let_plugin_come_back(scene);
}

static void test_client_refuses_a_plugin_that_hangs_when_it_is_loaded(void **state)
{
    struct scene *scene = *state;
    scene->hangs = true;
    scene->options.load_limit_s = 0.05;
    run(scene, play_hanging_plugin);
    assert_string_equal(scene->error,
                        "the plugin has not started within 0.1 s: its code that runs when it is "
                        "loaded takes too long or hangs");
    assert_int_equal(scene->loads, 1);
}

/* What comes of it later is not for the next job. */
static void play_plugin_given_up_while_it_is_loaded(struct scene *scene)
{
    send_job(scene, JOB, true);
    give_plugin(scene);
    send_cancel(scene, JOB);
    send_job(scene, JOB + 1, false);
    expect_ready(scene);
    let_plugin_come_back(scene);
    (void)run_two_chunks(scene, JOB + 1);
}

static void test_client_gives_up_a_load_with_its_job(void **state)
{
    struct scene *scene = *state;
    scene->hangs = true;
    run(scene, play_plugin_given_up_while_it_is_loaded);
    assert_string_equal(scene->error, "");
}

static void test_client_refuses_a_plugin_with_another_workload(void **state)
{
    struct scene *scene = *state;
    scene->workload.name = "fingers";
    run(scene, play_refused_plugin);
    assert_string_equal(scene->error,
                        "the plugin has the workload 'fingers', the job wants 'thumbs'");
}

static void play_other_bytes(struct scene *scene)
{
    scene->plugin[0] ^= 1;
    send_job(scene, JOB, true);
    give_plugin(scene);
    expect_ready(scene);
}

static void test_client_refuses_bytes_with_another_hash(void **state)
{
    struct scene *scene = *state;
    run(scene, play_other_bytes);
    assert_non_null(strstr(scene->error, "and sent another, "));
    assert_int_equal(scene->loads, 0);
    assert_int_equal(count_kept(scene), 0);
}

static void play_new_session(struct scene *scene)
{
    send_job(scene, JOB, true);
    expect_fetch(scene, JOB, 0);
    send_part(scene, JOB, 0, WIRE_PART_MAX);
    expect_fetch(scene, JOB, WIRE_PART_MAX);
    struct wire_message message = {.type = WIRE_REJECT};
    message.as.reject.reason = WIRE_REASON_SESSION;
    message.as.reject.text = wire_text("this session is over");
    fake_coordinator_send(&scene->fake, &message, NULL, 0);
    fake_coordinator_welcome(&scene->fake);
    /* What the old session still had under way is not for the new one. */
    send_job(scene, JOB, true);
    expect_fetch(scene, JOB, WIRE_PART_MAX);
    send_part(scene, JOB, WIRE_PART_MAX, PLUGIN_SIZE - WIRE_PART_MAX);
    expect_ready(scene);
}

static void test_client_goes_on_fetching_in_a_new_session(void **state)
{
    struct scene *scene = *state;
    run(scene, play_new_session);
    assert_string_equal(scene->error, "");
    assert_int_equal(scene->loads, 1);
}

static void play_cancel(struct scene *scene)
{
    struct wire_message message;
    send_job(scene, JOB, true);
    expect_fetch(scene, JOB, 0);
    send_cancel(scene, JOB);
    fake_coordinator_expect(&scene->fake, WIRE_HEARTBEAT, &message);
    CHECK(message.job == 0);
    CHECK(count_kept(scene) == 0);
    send_part(scene, JOB, 0, WIRE_PART_MAX); /* too late */
    send_job(scene, JOB + 1, false);
    expect_ready(scene);
    (void)run_two_chunks(scene, JOB + 1);
}

static void test_client_gives_a_plugin_up_with_its_job(void **state)
{
    struct scene *scene = *state;
    run(scene, play_cancel);
    assert_string_equal(scene->error, "");
    assert_int_equal(scene->loads, 0);
    assert_int_equal(count_kept(scene), 0);
}

static void play_bye_while_fetching(struct scene *scene)
{
    send_job(scene, JOB, true);
    expect_fetch(scene, JOB, 0);
    send_part(scene, JOB, 0, WIRE_PART_MAX);
    expect_fetch(scene, JOB, WIRE_PART_MAX);
}

static void test_client_leaves_nothing_when_it_ends_while_fetching(void **state)
{
    struct scene *scene = *state;
    run(scene, play_bye_while_fetching);
    assert_int_equal(count_kept(scene), 0);
}

/* --- records and notes --- */

static void play_chunks(struct scene *scene)
{
    send_job(scene, JOB, false);
    expect_ready(scene);
    uint64_t sum = run_two_chunks(scene, JOB);
    CHECK(sum == (scene->with_records ? 30000 + 2 * 45 : 0));
}

static void test_client_sends_records_behind_their_results(void **state)
{
    struct scene *scene = *state;
    scene->with_records = true;
    run(scene, play_chunks);
    assert_true(scene->records_asked);
}

static void test_client_sends_no_payload_without_records(void **state)
{
    struct scene *scene = *state;
    run(scene, play_chunks);
    assert_false(scene->records_asked);
}

/* --- a coordinator that is replaced --- */

/* Two chunks whose results nobody acknowledges, and then another coordinator, which is told of the job. */
static void lose_two_results(struct scene *scene)
{
    send_job(scene, JOB, false);
    expect_ready(scene);
    (void)run_two_chunks(scene, JOB);
    fake_coordinator_replace(&scene->fake);
    fake_coordinator_welcome(&scene->fake);
    send_job(scene, JOB, false);
}

/* The ids of both, however many messages bring them. */
static void expect_both_results(struct scene *scene)
{
    struct wire_message message;
    for (size_t done = 0; done < 2; done += message.as.results.count) {
        fake_coordinator_expect(&scene->fake, WIRE_RESULTS, &message);
        CHECK(message.session == scene->fake.session && message.as.results.count > 0);
    }
}

static void play_replaced(struct scene *scene)
{
    struct wire_message message;
    lose_two_results(scene);
    fake_coordinator_expect(&scene->fake, WIRE_HOLDING, &message);
    CHECK(message.session == scene->fake.session && message.job == JOB);
    const struct wire_chunks *chunks = &message.as.chunks;
    CHECK(chunks->count == 2 && chunks->id[0] != chunks->id[1]);
    for (size_t i = 0; i < 2; i++) {
        CHECK(chunks->id[i] == 1 || chunks->id[i] == 2);
        CHECK(chunks->first[i] == (chunks->id[i] - 1) * ITEMS_EACH);
        CHECK(chunks->items[i] == ITEMS_EACH && chunks->attempt[i] == 1);
    }
    expect_ready(scene);
    expect_both_results(scene);
}

static void test_client_tells_another_coordinator_what_it_has(void **state)
{
    struct scene *scene = *state;
    run(scene, play_replaced);
    assert_string_equal(scene->error, "");
}

static void play_replaced_by_an_older_one(struct scene *scene)
{
    scene->fake.minor = WIRE_MINOR_HOLDING - 1;
    lose_two_results(scene);
    expect_ready(scene); /* and nothing before it */
    expect_both_results(scene);
}

static void test_client_says_no_holding_to_an_older_coordinator(void **state)
{
    struct scene *scene = *state;
    run(scene, play_replaced_by_an_older_one);
    assert_string_equal(scene->error, "");
}

/* Standard error into a file while the worker runs; returns what it wrote. */
static void run_listening(struct scene *scene, char *ret_text, size_t size)
{
    FILE *file = tmpfile();
    (void)fflush(stderr);
    int before = dup(STDERR_FILENO);
    assert_true(file != NULL && before >= 0);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    run(scene, play_chunks);
    (void)fflush(stderr);
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    (void)close(before);
    rewind(file);
    ret_text[fread(ret_text, 1, size - 1, file)] = '\0';
    (void)fclose(file);
}

static void test_client_prints_what_workloads_note_even_when_quiet(void **state)
{
    struct scene *scene = *state;
    char text[4096];
    scene->note = "a workload says\nso";
    run_listening(scene, text, sizeof(text));
    assert_string_equal(text, "quartet-worker tester: a workload says?so\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_client_fetches_a_plugin_once_and_runs_it),
        TEST(test_client_takes_no_plugin_without_the_flag),
        TEST(test_client_runs_no_command_without_the_flag),
        TEST(test_client_runs_commands_with_the_flag),
        TEST(test_client_tells_why_a_plugin_cannot_be_loaded),
        TEST(test_client_refuses_a_plugin_that_hangs_when_it_is_loaded),
        TEST(test_client_gives_up_a_load_with_its_job),
        TEST(test_client_refuses_a_plugin_with_another_workload),
        TEST(test_client_refuses_bytes_with_another_hash),
        TEST(test_client_goes_on_fetching_in_a_new_session),
        TEST(test_client_gives_a_plugin_up_with_its_job),
        TEST(test_client_leaves_nothing_when_it_ends_while_fetching),
        TEST(test_client_sends_records_behind_their_results),
        TEST(test_client_sends_no_payload_without_records),
        TEST(test_client_tells_another_coordinator_what_it_has),
        TEST(test_client_says_no_holding_to_an_older_coordinator),
        TEST(test_client_prints_what_workloads_note_even_when_quiet),
    };
    return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
