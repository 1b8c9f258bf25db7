/* What a journal says about its job: words of any bytes come back, and what differs is named. */
#include "coordinator/run/job_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static json_t *identity_of(const char *workload, const char *delay)
{
    json_t *identity = json_pack("{s:s, s:s}", "workload", workload, "parameter delay", delay);
    assert_non_null(identity);
    return identity;
}

static void write_and_read(int argc,
                           const char *const *argv,
                           size_t rest,
                           struct job_record *ret_record)
{
    struct err_text error = {{0}};
    json_t *identity = identity_of("sleep", "0.1");
    char *text = job_record_write("/tmp/a directory", argc, argv, rest, rest > 0, identity);
    assert_non_null(text);
    assert_int_equal(job_record_read(text, &error, ret_record), 0);
    free(text);
    json_decref(identity);
}

static void test_words_of_any_bytes_come_back(void **state)
{
    (void)state;
    const char *words[] = {
        "run", "exec", "--items", "\xff\x01%41 \xc3\xa4", "", "--", "echo", "{}\n"};
    struct job_record record;
    write_and_read(8, words, 2, &record);
    assert_string_equal(record.directory, "/tmp/a directory");
    assert_int_equal(record.word_count, 8);
    assert_int_equal(record.rest_count, 2);
    assert_true(record.items_kept);
    for (size_t i = 0; i < 8; i++) {
        assert_string_equal(record.words[i], words[i]);
    }
    assert_null(record.words[8]);
    job_record_deinit(&record);
}

static void test_what_differs_is_named_with_both_values(void **state)
{
    (void)state;
    const char *words[] = {"run", "sleep"};
    struct err_text error = {{0}};
    struct job_record record;
    write_and_read(2, words, 0, &record);
    json_t *same = identity_of("sleep", "0.1");
    json_t *other = identity_of("sleep", "0.2");
    json_t *fewer = json_pack("{s:s}", "workload", "sleep");
    assert_int_equal(job_record_compare(&record, same, &error), 0);
    assert_int_equal(job_record_compare(&record, other, &error), ERR_INVALID);
    assert_non_null(strstr(error.s, "parameter delay: '0.1'"));
    assert_non_null(strstr(error.s, "'0.2' now"));
    assert_int_equal(job_record_compare(&record, fewer, &error), ERR_INVALID);
    json_decref(same);
    json_decref(other);
    json_decref(fewer);
    job_record_deinit(&record);
}

static void test_texts_that_are_no_record_are_refused(void **state)
{
    (void)state;
    const char *texts[] = {
        "",
        "{}",
        "[1]",
        "{\"schema\":\"quartet.job/2\",\"directory\":\"/\",\"words\":[\"run\"],\"rest\":0,"
        "\"identity\":{}}",
        "{\"schema\":\"quartet.job/1\",\"directory\":\"/\",\"words\":[],\"rest\":0,"
        "\"identity\":{}}",
        "{\"schema\":\"quartet.job/1\",\"directory\":\"/\",\"words\":[\"run\"],\"rest\":1,"
        "\"identity\":{}}",
        "{\"schema\":\"quartet.job/1\",\"directory\":\"/\",\"words\":[\"run\",7],\"rest\":0,"
        "\"identity\":{}}",
        "{\"schema\":\"quartet.job/1\",\"directory\":\"/\",\"words\":[\"%4\"],\"rest\":0,"
        "\"identity\":{}}",
        "{\"schema\":\"quartet.job/1\",\"directory\":\"/\",\"words\":[\"%00\"],\"rest\":0,"
        "\"identity\":{}}",
        "{\"schema\":\"quartet.job/1\",\"directory\":\"/\",\"words\":[\"run\"],\"rest\":-1,"
        "\"identity\":{}}",
        "{\"schema\":\"quartet.job/1\",\"directory\":\"/\",\"words\":[\"run\"],\"rest\":0,"
        "\"identity\":{\"workload\":3}}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct err_text error = {{0}};
        struct job_record record;
        assert_int_equal(job_record_read(texts[i], &error, &record), ERR_INVALID);
        assert_true(strlen(error.s) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_of_any_bytes_come_back),
        cmocka_unit_test(test_what_differs_is_named_with_both_values),
        cmocka_unit_test(test_texts_that_are_no_record_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
