/* Files with secrets: refused when others could have read or written them, written whole or not at
 * all. */
#include "common/io/secret_file.h"

#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATH_SIZE = 256, SOMEBODY = 65534 };

struct scene {
    char directory[PATH_SIZE];
    char path[PATH_SIZE + 16];
};

static int setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    *state = scene;
    (void)snprintf(scene->directory, PATH_SIZE, "/tmp/quartet-secret-XXXXXX");
    if (scene == NULL || mkdtemp(scene->directory) == NULL) {
        return -1;
    }
    (void)snprintf(scene->path, sizeof(scene->path), "%s/file", scene->directory);
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    (void)unlink(scene->path);
    int rc = rmdir(scene->directory); /* fails when a temporary file was left */
    free(scene);
    return rc;
}

static void assert_read(const char *path, enum secret_kind kind, const char *wanted)
{
    struct err_text error = {{0}};
    char *text = NULL;
    size_t len = 0;
    assert_int_equal(secret_read(path, kind, &error, &text, &len), 0);
    assert_string_equal(text, wanted);
    assert_int_equal(len, strlen(wanted));
    secret_free(text);
}

static void assert_refused(const char *path, enum secret_kind kind, int code, const char *part)
{
    struct err_text error = {{0}};
    char *text = NULL;
    assert_int_equal(secret_read(path, kind, &error, &text, NULL), code);
    assert_null(text);
    assert_non_null(strstr(error.s, part));
}

static void test_secret_file_is_written_for_its_owner_only(void **state)
{
    struct scene *scene = *state;
    struct stat info;
    mode_t before = umask(0);
    assert_int_equal(secret_write(scene->path, "secret\n", SECRET_PRIVATE, false, NULL), 0);
    (void)umask(before);
    assert_int_equal(stat(scene->path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_read(scene->path, SECRET_PRIVATE, "secret\n");
}

static void test_secret_file_that_is_there_is_kept_unless_it_is_to_be_replaced(void **state)
{
    struct scene *scene = *state;
    struct err_text error = {{0}};
    assert_int_equal(secret_write(scene->path, "one", SECRET_PRIVATE, false, NULL), 0);
    assert_int_equal(secret_write(scene->path, "two", SECRET_PRIVATE, false, &error), ERR_BUSY);
    assert_non_null(strstr(error.s, scene->path));
    assert_read(scene->path, SECRET_PRIVATE, "one");
    assert_int_equal(secret_write(scene->path, "two", SECRET_PRIVATE, true, NULL), 0);
    assert_read(scene->path, SECRET_PRIVATE, "two");
}

/* As on a full disk: what was there before stays, and nothing else is left (teardown). */
static void test_secret_file_that_does_not_fit_is_not_written_in_part(void **state)
{
    struct scene *scene = *state;
    struct rlimit before;
    assert_int_equal(secret_write(scene->path, "old", SECRET_PRIVATE, false, NULL), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit little = {.rlim_cur = 4, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    int rc = secret_write(scene->path, "longer than four", SECRET_PRIVATE, true, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(rc, ERR_IO);
    assert_read(scene->path, SECRET_PRIVATE, "old");
}

static void test_secret_file_that_others_can_read_is_refused(void **state)
{
    struct scene *scene = *state;
    static const mode_t modes[] = {0640, 0604, 0620, 0602, 0610, 0666, 0644};
    assert_int_equal(secret_write(scene->path, "x", SECRET_PRIVATE, false, NULL), 0);
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(chmod(scene->path, modes[i]), 0);
        assert_refused(scene->path, SECRET_PRIVATE, ERR_INVALID, "by others");
    }
    assert_int_equal(chmod(scene->path, 0400), 0);
    assert_read(scene->path, SECRET_PRIVATE, "x");
}

/* In a process of its own, which cannot become root again. Returns 0 when it could read all of `wanted`. */
static int read_as_somebody(const char *path, gid_t group, const char *wanted)
{
    pid_t pid = fork();
    if (pid == 0) {
        char *text = NULL;
        bool left_root = setgroups(1, &group) == 0 && setgid(SOMEBODY) == 0 &&
                         setuid(SOMEBODY) == 0;
        int rc = left_root ? secret_read(path, SECRET_PRIVATE, NULL, &text, NULL) : ERR_IO;
        _exit(rc == 0 && strcmp(text, wanted) == 0 ? 0 : -rc);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return -WEXITSTATUS(status);
}

/* As Kubernetes hands over the file of a Secret to a user who is not root. */
static void test_secret_file_of_roots_may_be_read_through_its_group(void **state)
{
    struct scene *scene = *state;

    enum { GROUP = 54321 };

    static const mode_t open_modes[] = {0444, 0460, 0450, 0441, 0644};
    if (geteuid() != 0) {
        skip(); /* only root can hand over */
    }
    assert_int_equal(secret_write(scene->path, "x", SECRET_PRIVATE, false, NULL), 0);
    assert_int_equal(chmod(scene->directory, 0755), 0);
    assert_int_equal(chown(scene->path, 0, GROUP), 0);
    assert_int_equal(chmod(scene->path, 0440), 0);
    assert_int_equal(read_as_somebody(scene->path, GROUP, "x"), 0);
    assert_int_equal(read_as_somebody(scene->path, GROUP + 1, "x"), ERR_IO); /* not in the group */
    assert_refused(scene->path, SECRET_PRIVATE, ERR_INVALID, "by others");   /* root itself */
    for (size_t i = 0; i < sizeof(open_modes) / sizeof(open_modes[0]); i++) {
        assert_int_equal(chmod(scene->path, open_modes[i]), 0);
        assert_int_equal(read_as_somebody(scene->path, GROUP, "x"), ERR_INVALID);
    }
    assert_int_equal(chmod(scene->path, 0440), 0); /* our own is for one, whatever its group */
    assert_int_equal(chown(scene->path, SOMEBODY, GROUP), 0);
    assert_int_equal(read_as_somebody(scene->path, GROUP, "x"), ERR_INVALID);
}

static void test_secret_file_to_be_trusted_may_be_read_but_not_written_by_others(void **state)
{
    struct scene *scene = *state;
    assert_int_equal(secret_write(scene->path, "x", SECRET_TRUSTED, false, NULL), 0);
    assert_read(scene->path, SECRET_TRUSTED, "x");
    assert_int_equal(chmod(scene->path, 0664), 0);
    assert_refused(scene->path, SECRET_TRUSTED, ERR_INVALID, "chmod go-w");
}

static void test_secret_file_of_somebody_else_is_refused(void **state)
{
    struct scene *scene = *state;
    struct err_text error = {{0}};
    if (geteuid() != 0) {
        skip(); /* only root can give a file away */
    }
    assert_int_equal(secret_write(scene->path, "x", SECRET_PRIVATE, false, NULL), 0);
    assert_int_equal(chown(scene->path, SOMEBODY, (gid_t)-1), 0);
    assert_refused(scene->path, SECRET_PRIVATE, ERR_INVALID, "belongs to user 65534");
    assert_int_equal(chown(scene->directory, SOMEBODY, (gid_t)-1), 0);
    assert_int_equal(secret_directory_check(scene->directory, &error), ERR_INVALID);
    assert_int_equal(chown(scene->directory, 0, (gid_t)-1), 0);
}

static void test_secret_file_must_be_a_regular_one(void **state)
{
    struct scene *scene = *state;
    assert_refused(scene->path, SECRET_PRIVATE, ERR_NOT_FOUND, scene->path);
    assert_refused(scene->directory, SECRET_PRIVATE, ERR_INVALID, "not a regular file");
    assert_int_equal(mkfifo(scene->path, 0600), 0); /* and nobody is waited for */
    assert_refused(scene->path, SECRET_PRIVATE, ERR_INVALID, "not a regular file");
    assert_int_equal(unlink(scene->path), 0);
    assert_int_equal(symlink("/etc/hostname", scene->path), 0);
    assert_refused(scene->path, SECRET_PRIVATE, ERR_INVALID, "symbolic link");
}

static void test_secret_file_has_a_limit_and_no_nul(void **state)
{
    struct scene *scene = *state;
    char *text = calloc(1, SECRET_FILE_MAX + 2);
    assert_non_null(text);
    memset(text, 'x', SECRET_FILE_MAX);
    assert_int_equal(secret_write(scene->path, text, SECRET_PRIVATE, true, NULL), 0);
    assert_read(scene->path, SECRET_PRIVATE, text);
    text[SECRET_FILE_MAX] = 'x';
    assert_int_equal(secret_write(scene->path, text, SECRET_PRIVATE, true, NULL), 0);
    assert_refused(scene->path, SECRET_PRIVATE, ERR_INVALID, "longer than 65536 bytes");
    free(text);
    assert_int_equal(secret_write(scene->path, "ab", SECRET_PRIVATE, true, NULL), 0);
    assert_int_equal(truncate(scene->path, 5), 0);
    assert_refused(scene->path, SECRET_PRIVATE, ERR_INVALID, "NUL");
}

static void test_secret_directory_is_private_and_stays_in_our_hands(void **state)
{
    struct scene *scene = *state;
    struct err_text error = {{0}};
    struct stat info;
    assert_int_equal(secret_directory_check(scene->path, NULL), ERR_NOT_FOUND);
    assert_int_equal(secret_directory(scene->path, NULL), 0);
    assert_int_equal(stat(scene->path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0700);
    assert_int_equal(chmod(scene->path, 0770), 0);
    assert_int_equal(secret_directory(scene->path, &error), ERR_INVALID);
    assert_non_null(strstr(error.s, "written by others"));
    assert_int_equal(rmdir(scene->path), 0);
    assert_int_equal(secret_write(scene->path, "x", SECRET_PRIVATE, false, NULL), 0);
    assert_int_equal(secret_directory(scene->path, &error), ERR_INVALID);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_secret_file_is_written_for_its_owner_only),
        TEST(test_secret_file_that_is_there_is_kept_unless_it_is_to_be_replaced),
        TEST(test_secret_file_that_does_not_fit_is_not_written_in_part),
        TEST(test_secret_file_that_others_can_read_is_refused),
        TEST(test_secret_file_of_roots_may_be_read_through_its_group),
        TEST(test_secret_file_to_be_trusted_may_be_read_but_not_written_by_others),
        TEST(test_secret_file_of_somebody_else_is_refused),
        TEST(test_secret_file_must_be_a_regular_one),
        TEST(test_secret_file_has_a_limit_and_no_nul),
        TEST(test_secret_directory_is_private_and_stays_in_our_hands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
