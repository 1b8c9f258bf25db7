/* Which bytes of a stranger's text reach a terminal. */
#include "common/wire/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct row {
    const char *text;
    const char *cleaned;
};

static const struct row rows[] = {
    {"", ""},
    {"plain ~text", "plain ~text"},
    {"caf\xc3\xa9", "caf\xc3\xa9"},
    {"\xe2\x82\xac", "\xe2\x82\xac"},         /* euro sign */
    {"\xf0\x9f\x8e\xbb", "\xf0\x9f\x8e\xbb"}, /* violin, four bytes */
    {"a\nb\tc", "a?b?c"},                     /* one line only */
    {"\x1b[31m", "?[31m"},                    /* escape */
    {"\x7f", "?"},                            /* DEL */
    {"\xc2\x9b", "??"},                       /* C1: a one-character escape */
    {"\xc3", "?"},                            /* cut short */
    {"\xc3(", "?("},                          /* no continuation */
    {"\xc0\xaf", "??"},                       /* overlong slash */
    {"\xe0\x80\xaf", "???"},                  /* the same in three bytes */
    {"\xed\xa0\x80", "???"},                  /* surrogate */
    {"\xf4\x90\x80\x80", "????"},             /* beyond U+10FFFF */
    {"\xff\xfe", "??"},
};

static void test_text_clean_replaces_what_is_not_printable(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char bytes[32];
        size_t len = strlen(rows[i].text);
        memcpy(bytes, rows[i].text, len);

        text_clean(bytes, len);

        assert_memory_equal(bytes, rows[i].cleaned, len);
        bool unchanged = strcmp(rows[i].text, rows[i].cleaned) == 0;
        assert_int_equal(text_is_printable(wire_text(rows[i].text)), unchanged);
        assert_true(text_is_printable(wire_text(rows[i].cleaned)));
    }
}

static void test_text_quote_cuts_long_texts(void **state)
{
    (void)state;
    char long_text[200];
    char quote[TEXT_QUOTE_SIZE];
    memset(long_text, 'x', sizeof(long_text));

    (void)text_quote((struct wire_text){long_text, sizeof(long_text)}, quote);

    assert_int_equal(strlen(quote), TEXT_QUOTE_SIZE - 1);
    assert_string_equal(quote + TEXT_QUOTE_SIZE - 5, "x...");
    assert_string_equal(text_quote(wire_text("a\nb"), quote), "a?b");
    assert_string_equal(text_quote(wire_text(NULL), quote), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_clean_replaces_what_is_not_printable),
        cmocka_unit_test(test_text_quote_cuts_long_texts),
    };
    return cmocka_run_group_tests_name("wire_text", tests, NULL, NULL);
}
