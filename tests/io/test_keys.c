/* Keys as texts and in files. */
#include "common/io/keys.h"
#include "common/io/secret_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATH_SIZE = 64 };

/* From the specification of CurveZMQ's test pair (RFC 26 and libzmq's own tests). */
static const char known_secret[] = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";
static const char known_public[] = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";

static void test_keys_are_made_anew_each_time(void **state)
{
    (void)state;
    struct key_pair one;
    struct key_pair two;
    key_pair_make(&one);
    key_pair_make(&two);
    assert_true(key_is_valid(one.public_key) && key_is_valid(one.secret_key));
    assert_string_not_equal(one.secret_key, two.secret_key);
    assert_string_not_equal(one.public_key, two.public_key);
}

static void test_keys_public_half_follows_from_the_secret_one(void **state)
{
    (void)state;
    struct key_pair made;
    struct key_pair pair;
    key_pair_make(&made);
    assert_int_equal(key_pair_of_secret(made.secret_key, NULL, &pair), 0);
    assert_string_equal(pair.public_key, made.public_key);
    assert_int_equal(key_pair_of_secret(known_secret, NULL, &pair), 0);
    assert_string_equal(pair.public_key, known_public);
}

static void test_keys_that_are_none_are_refused_and_not_quoted(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "short",
        "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%c",   /* 39 */
        "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%css", /* 41 */
        "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%c\"",
        "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%c\xff",
        "#####################################  ",
    };
    struct key_pair pair = {.public_key = "untouched"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err_text error = {{0}};
        assert_false(key_is_valid(bad[i]));
        assert_int_equal(key_pair_of_secret(bad[i], &error, &pair), ERR_INVALID);
        assert_true(bad[i][0] == '\0' || strstr(error.s, bad[i]) == NULL);
        assert_string_equal(pair.public_key, "untouched");
    }
}

static void test_keys_are_called_as_files_may_be(void **state)
{
    (void)state;
    char name[KEY_NAME_MAX + 2];
    memset(name, 'n', sizeof(name));
    name[KEY_NAME_MAX] = '\0';
    assert_true(key_name_is_valid(name));
    name[KEY_NAME_MAX] = 'n';
    name[KEY_NAME_MAX + 1] = '\0';
    assert_false(key_name_is_valid(name));
    static const char *const good[] = {"a", "worker", "gpu-1.example_2", "-"};
    static const char *const bad[] = {"", ".", "..", ".hidden", "a/b", "a b", "a\n", "\xc3\xa9"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(key_name_is_valid(good[i]));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(key_name_is_valid(bad[i]));
    }
}

static void test_keys_survive_their_files(void **state)
{
    (void)state;
    char directory[] = "/tmp/quartet-keys-XXXXXX";
    char secret_path[PATH_SIZE];
    char public_path[PATH_SIZE];
    char public_key[KEY_TEXT_SIZE];
    struct key_pair made;
    struct key_pair read;
    struct err_text error = {{0}};
    assert_non_null(mkdtemp(directory));
    (void)snprintf(secret_path, sizeof(secret_path), "%s/a.key", directory);
    (void)snprintf(public_path, sizeof(public_path), "%s/a.pub", directory);
    key_pair_make(&made);

    assert_int_equal(key_write_secret(secret_path, &made, NULL), 0);
    assert_int_equal(key_write_public(public_path, made.public_key, NULL), 0);
    assert_int_equal(key_read_secret(secret_path, NULL, &read), 0);
    assert_int_equal(key_read_public(public_path, NULL, public_key), 0);
    assert_memory_equal(&read, &made, sizeof(read));
    assert_string_equal(public_key, made.public_key);

    /* neither is overwritten, nor taken when it holds something else */
    assert_int_equal(key_write_secret(secret_path, &made, NULL), ERR_BUSY);
    assert_int_equal(secret_write(secret_path, "no key\n", SECRET_PRIVATE, true, NULL), 0);
    assert_int_equal(key_read_secret(secret_path, &error, &read), ERR_INVALID);
    assert_non_null(strstr(error.s, "not a secret key"));
    assert_int_equal(secret_write(public_path, "", SECRET_TRUSTED, true, NULL), 0);
    assert_int_equal(key_read_public(public_path, &error, public_key), ERR_INVALID);

    (void)unlink(secret_path);
    (void)unlink(public_path);
    assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_are_made_anew_each_time),
        cmocka_unit_test(test_keys_public_half_follows_from_the_secret_one),
        cmocka_unit_test(test_keys_that_are_none_are_refused_and_not_quoted),
        cmocka_unit_test(test_keys_are_called_as_files_may_be),
        cmocka_unit_test(test_keys_survive_their_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
