/* Plugins from files: what is loaded, once, and what is refused in words. PLUGINS is where those of
 * tests/plugins are, named for what is wrong with them. */
#include "worker/workloads/plugin.h"
#include "worker/workloads/registry.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATH_SIZE = 512 };

/* --- files of a test, in a directory of its own --- */

struct place {
    char directory[64];
    char path[PATH_SIZE]; /* of the last file made */
};

static int make_place(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    assert_non_null(place);
    (void)snprintf(place->directory, sizeof(place->directory), "/tmp/quartet-plugin-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    *state = place;
    return 0;
}

static int remove_place(void **state)
{
    struct place *place = *state;
    char command[PATH_SIZE];
    (void)snprintf(command, sizeof(command), "rm -r '%s'", place->directory);
    assert_int_equal(system(command), 0);
    free(place);
    return 0;
}

static const char *name_file(struct place *place, const char *name)
{
    (void)snprintf(place->path, sizeof(place->path), "%s/%s", place->directory, name);
    return place->path;
}

static const char *write_file(struct place *place, const char *name, const void *bytes, size_t len)
{
    FILE *file = fopen(name_file(place, name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    return place->path;
}

/* All of a file, malloc'd. */
static char *read_file(const char *path, size_t *ret_len)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long len = ftell(file);
    rewind(file);
    char *bytes = malloc((size_t)len);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)len, file), len);
    (void)fclose(file);
    *ret_len = (size_t)len;
    return bytes;
}

static const char *copy_good(struct place *place, const char *name)
{
    size_t len = 0;
    char *bytes = read_file(PLUGINS "/good.so", &len);
    (void)write_file(place, name, bytes, len);
    free(bytes);
    return place->path;
}

/* --- loading --- */

static const struct workload_ops *load(const char *path)
{
    const struct workload_ops *workload = NULL;
    struct err_text error = {""};
    if (plugin_load(path, &error, &workload) != 0) {
        fail_msg("%s", error.s);
    }
    return workload;
}

/* The refusal is one line with the path and `text` in it. */
static void assert_refused(const char *path, int rc, const char *text)
{
    const struct workload_ops *workload = NULL;
    struct err_text error = {""};
    char begin[PATH_SIZE];
    (void)snprintf(begin, sizeof(begin), "plugin '%s': ", path);
    assert_int_equal(plugin_load(path, &error, &workload), rc);
    assert_null(workload);
    if (strncmp(error.s, begin, strlen(begin)) != 0 || strstr(error.s, text) == NULL ||
        strchr(error.s, '\n') != NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error.s, text);
    }
}

static void test_plugin_is_loaded_once_a_file(void **state)
{
    struct place *place = *state;
    const struct workload_ops *workload = load(PLUGINS "/good.so");
    assert_string_equal(workload->name, "odd");
    struct workload_item item = {.number = 7};
    struct workload_outcome outcome = {.ok = false};
    workload->run(NULL, &item, &outcome);
    assert_int_equal(outcome.checksum, 7);

    assert_ptr_equal(load(PLUGINS "/good.so"), workload);
    assert_ptr_equal(load(PLUGINS "/../plugins/good.so"), workload);
    assert_int_equal(symlink(PLUGINS "/good.so", name_file(place, "link")), 0);
    assert_ptr_equal(load(place->path), workload);
    assert_ptr_not_equal(load(copy_good(place, "copy")), workload);
}

static void test_plugin_has_a_path_and_a_built_in_workload_has_none(void **state)
{
    struct place *place = *state;
    const struct workload_ops *workload = load(copy_good(place, "a"));
    assert_string_equal(plugin_path_of(workload), place->path);
    assert_null(plugin_path_of(&workload_noop_ops));
    const struct workload_ops copy = *workload;
    assert_null(plugin_path_of(&copy));
}

static void test_plugin_is_looked_for_in_the_working_directory_only(void **state)
{
    struct place *place = *state;
    char *before = getcwd(NULL, 0);
    assert_non_null(before);
    assert_refused("libc.so.6", ERR_IO, "No such file"); /* which the linker would find */
    (void)copy_good(place, "here.so");
    assert_int_equal(chdir(place->directory), 0);
    const struct workload_ops *workload = load("here.so");
    assert_int_equal(chdir(before), 0);
    assert_string_equal(plugin_path_of(workload), place->path);
    free(before);
}

static void test_plugin_of_a_later_minor_version_is_taken(void **state)
{
    (void)state;
    const struct workload_ops *workload = load(PLUGINS "/newer_minor.so");
    assert_int_equal(workload->size, sizeof(*workload));
    assert_int_equal(workload->abi_minor, WORKLOAD_ABI_MINOR + 1);
    assert_non_null(workload->run);
    assert_null(workload->async_open);
}

static void test_plugin_with_something_wrong_is_refused(void **state)
{
    (void)state;

    static const struct {
        const char *path;
        const char *text;
    } cases[] = {
        {PLUGINS "/wrong_magic.so", "the magic number 0x12345678"},
        {PLUGINS "/other_major.so", "version 2.0 of quartet/workload.h, this program has 1.0"},
        {PLUGINS "/short_table.so", "its table is of "},
        {PLUGINS "/no_symbol.so", "it has no function quartet_workload"},
        {PLUGINS "/null_table.so", "its quartet_workload() returned NULL"},
        {PLUGINS "/bad_default.so", "a default is wrong: parameter level=11"},
        {PLUGINS "/no_run.so", "it has no run and no run_batch"},
        {PLUGINS "/undefined_symbol.so", "undefined symbol: nobody_has_this_function"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_refused(cases[i].path, ERR_INVALID, cases[i].text);
        assert_refused(cases[i].path, ERR_INVALID, cases[i].text); /* as the first time */
    }
}

static void test_what_is_no_plugin_is_refused(void **state)
{
    struct place *place = *state;
    assert_refused(name_file(place, "absent.so"), ERR_IO, "No such file or directory");
    assert_refused(write_file(place, "empty.so", "", 0), ERR_INVALID, "it is empty");
    static const char script[] = "#!/bin/sh\necho hello\n";
    assert_refused(write_file(place, "script.so", script, strlen(script)),
                   ERR_INVALID,
                   "it is no shared object (an ELF file): it begins with '#!/bin/sh?ec'");
    assert_refused(place->directory, ERR_INVALID, "it is a directory, not a file");
    assert_int_equal(mkfifo(name_file(place, "pipe.so"), 0600), 0);
    assert_refused(place->path, ERR_INVALID, "it is a pipe, socket or device, not a file");
    assert_refused("/proc/self/exe", ERR_INVALID, "it cannot be loaded: ");
}

static void test_plugin_of_another_machine_is_refused(void **state)
{
    struct place *place = *state;
    size_t len = 0;
    char *bytes = read_file(PLUGINS "/good.so", &len);
    const uint16_t machine = EM_S390;
    memcpy(bytes + offsetof(Elf64_Ehdr, e_machine), &machine, sizeof(machine));
    assert_refused(write_file(place, "s390.so", bytes, len),
                   ERR_INVALID,
                   "it is for S/390 (ELF machine 22), this program is for ");
    free(bytes);
}

static void test_plugin_that_was_replaced_is_not_mixed_up_with_the_one_before(void **state)
{
    struct place *place = *state;
    char first[PATH_SIZE];
    (void)snprintf(first, sizeof(first), "%s", copy_good(place, "first.so"));
    const struct workload_ops *workload = load(first);
    assert_int_equal(rename(copy_good(place, "second.so"), first), 0);
    assert_refused(first, ERR_INVALID, "the file was replaced after it had been loaded");
    assert_string_equal(workload->name, "odd"); /* the first one is still there */
}

/* In a process of its own, which a mistake would cost. Returns what wait says of it. */
static int load_in_child(const char *path)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const struct workload_ops *workload = NULL;
        struct err_text error = {""};
        int rc = plugin_load(path, &error, &workload);
        _exit(rc == ERR_INVALID && strstr(error.s, path) != NULL ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

static void test_plugin_cut_off_anywhere_is_refused_and_crashes_nobody(void **state)
{
    enum { EVERY_BYTE = 72, STEPS = 150 };

    struct place *place = *state;
    struct stat status;
    const char *path = copy_good(place, "cut.so");
    assert_int_equal(stat(path, &status), 0);
    off_t step = status.st_size / STEPS;
    for (off_t len = status.st_size - 1; len >= 0;) {
        assert_int_equal(truncate(path, len), 0);
        int end = load_in_child(path);
        if (end != 0) {
            fail_msg("cut to %ld bytes of %ld: wait says 0x%x",
                     (long)len,
                     (long)status.st_size,
                     (unsigned)end);
        }
        bool close_look = len <= EVERY_BYTE || status.st_size - len < EVERY_BYTE;
        len -= close_look || len - step < EVERY_BYTE ? 1 : step;
    }
}

/* --- threads --- */

static void *load_copy(void *path)
{
    return (void *)(uintptr_t)load(path);
}

static void test_plugin_loaded_by_many_threads_is_one(void **state)
{
    enum { THREADS = 8 };

    struct place *place = *state;
    pthread_t threads[THREADS];
    (void)copy_good(place, "shared.so");
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, load_copy, place->path), 0);
    }
    const struct workload_ops *first = load(place->path);
    for (size_t i = 0; i < THREADS; i++) {
        void *workload = NULL;
        assert_int_equal(pthread_join(threads[i], &workload), 0);
        assert_ptr_equal(workload, first);
    }
}

/* --- names --- */

static void test_resolve_tells_paths_from_names(void **state)
{
    (void)state;
    assert_true(plugin_is_path("./x"));
    assert_true(plugin_is_path("lib/x.so"));
    assert_true(plugin_is_path("x.so"));
    assert_false(plugin_is_path("squares"));
    assert_false(plugin_is_path("so"));
    assert_false(plugin_is_path("x.so.1"));
    assert_false(plugin_is_path(""));

    const struct workload_ops *workload = NULL;
    struct err_text error = {""};
    assert_int_equal(workload_resolve("noop", &error, &workload), 0);
    assert_ptr_equal(workload, &workload_noop_ops);
    assert_int_equal(workload_resolve(PLUGINS "/good.so", &error, &workload), 0);
    assert_string_equal(workload->name, "odd");
    assert_int_equal(workload_resolve("odd", &error, &workload), ERR_NOT_FOUND);
    assert_int_equal(workload_resolve("odd.so", &error, &workload), ERR_IO);
    assert_non_null(strstr(error.s, "'odd.so'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_plugin_is_loaded_once_a_file, make_place, remove_place),
        cmocka_unit_test_setup_teardown(
            test_plugin_has_a_path_and_a_built_in_workload_has_none, make_place, remove_place),
        cmocka_unit_test_setup_teardown(
            test_plugin_is_looked_for_in_the_working_directory_only, make_place, remove_place),
        cmocka_unit_test(test_plugin_of_a_later_minor_version_is_taken),
        cmocka_unit_test(test_plugin_with_something_wrong_is_refused),
        cmocka_unit_test_setup_teardown(
            test_what_is_no_plugin_is_refused, make_place, remove_place),
        cmocka_unit_test_setup_teardown(
            test_plugin_of_another_machine_is_refused, make_place, remove_place),
        cmocka_unit_test_setup_teardown(
            test_plugin_that_was_replaced_is_not_mixed_up_with_the_one_before,
            make_place,
            remove_place),
        cmocka_unit_test_setup_teardown(
            test_plugin_cut_off_anywhere_is_refused_and_crashes_nobody, make_place, remove_place),
        cmocka_unit_test_setup_teardown(
            test_plugin_loaded_by_many_threads_is_one, make_place, remove_place),
        cmocka_unit_test(test_resolve_tells_paths_from_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
