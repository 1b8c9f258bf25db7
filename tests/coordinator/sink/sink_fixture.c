#include "tests/coordinator/sink/sink_fixture.h"

#include "common/base/items.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void drain(struct sink_text *text)
{
    struct text_fixture *fixture = (struct text_fixture *)text; /* its first member */
    if (fixture->size < fixture->len + text->len + 1) {
        fixture->size = 2 * fixture->size + text->len + 1;
        fixture->all = realloc(fixture->all, fixture->size);
        assert_non_null(fixture->all);
    }
    memcpy(fixture->all + fixture->len, text->bytes, text->len);
    fixture->len += text->len;
    fixture->all[fixture->len] = '\0';
    text->len = 0;
}

void text_fixture_init(struct text_fixture *fixture)
{
    fixture->text = (struct sink_text){
        .bytes = fixture->bytes, .size = sizeof(fixture->bytes), .drain = drain};
    fixture->all = NULL;
    fixture->len = 0;
    fixture->size = 0;
}

const char *text_fixture_all(struct text_fixture *fixture, size_t *ret_len)
{
    drain(&fixture->text);
    if (ret_len != NULL) {
        *ret_len = fixture->len;
    }
    return fixture->all;
}

void text_fixture_clear(struct text_fixture *fixture)
{
    free(fixture->all);
    text_fixture_init(fixture);
}

struct blob *payload_fixture(const struct item_fixture *items, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += items[i].len;
    }
    size_t size = items_payload_size(count, bytes);
    unsigned char *payload = calloc(1, size);
    assert_non_null(payload);
    unsigned char *at = payload + 4 * count;
    for (size_t i = 0; i < count; i++) {
        for (unsigned k = 0; k < 4; k++) {
            payload[4 * i + k] = (unsigned char)(items[i].len >> (8 * k));
        }
        if (items[i].len > 0) {
            memcpy(at, items[i].bytes, items[i].len);
        }
        at += items[i].len + 1;
    }
    assert_true(items_payload_valid(payload, size, count));
    struct blob *blob = blob_new(payload, size, NULL, NULL);
    assert_non_null(blob);
    return blob;
}

static struct record complete(const struct record *record)
{
    struct record whole = *record;
    whole.out = whole.out != NULL ? whole.out : "";
    whole.err = whole.err != NULL ? whole.err : "";
    whole.reason = whole.reason != NULL ? whole.reason : "";
    return whole;
}

struct blob *records_fixture(const struct item_fixture *items, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += record_size(&items[i].record);
    }
    char *records = malloc(size > 0 ? size : 1);
    assert_non_null(records);
    char *at = records;
    for (size_t i = 0; i < count; i++) {
        struct record record = complete(&items[i].record);
        record_write(&record, at);
        at += record_size(&record);
    }
    assert_true(records_valid(records, size, count));
    struct blob *blob = blob_new(records, size, NULL, NULL);
    assert_non_null(blob);
    return blob;
}

char *directory_fixture_new(void)
{
    const char *parent = getenv("TMPDIR");
    char *path = NULL;
    assert_true(asprintf(&path, "%s/sink-XXXXXX", parent != NULL ? parent : "/tmp") > 0);
    assert_non_null(mkdtemp(path));
    return path;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status;
    (void)type;
    (void)at;
    return remove(path);
}

void directory_fixture_free(char *directory)
{
    assert_int_equal(nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(directory);
}

const char *path_fixture(const char *directory, const char *name)
{
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % 8];
    assert_true(snprintf(path, sizeof(paths[0]), "%s/%s", directory, name) < (int)sizeof(paths[0]));
    return path;
}

char *read_fixture(const char *path, size_t *ret_len)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fail_msg("cannot read '%s'", path);
    }
    char *bytes = NULL;
    size_t len = 0;
    for (;;) {
        bytes = realloc(bytes, len + 65537);
        assert_non_null(bytes);
        size_t n = fread(bytes + len, 1, 65536, file);
        len += n;
        if (n == 0) {
            break;
        }
    }
    bytes[len] = '\0';
    (void)fclose(file);
    if (ret_len != NULL) {
        *ret_len = len;
    }
    return bytes;
}

void write_fixture(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static unsigned value_of(char c)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != '\0' ? strchr(alphabet, c) : NULL;
    assert_non_null(at);
    return (unsigned)(at - alphabet);
}

size_t base64_fixture(const char *text, char *to)
{
    size_t text_len = strlen(text);
    size_t len = 0;
    assert_int_equal(text_len % 4, 0);
    for (size_t i = 0; i < text_len; i += 4) {
        bool is_last = i + 4 == text_len;
        unsigned pads = is_last ? (unsigned)(text[i + 2] == '=') + (text[i + 3] == '=') : 0;
        unsigned group = value_of(text[i]) << 18 | value_of(text[i + 1]) << 12;
        group |= pads < 2 ? value_of(text[i + 2]) << 6 : 0;
        group |= pads < 1 ? value_of(text[i + 3]) : 0;
        for (unsigned k = 0; k < 3 - pads; k++) {
            to[len++] = (char)(group >> (16 - 8 * k));
        }
    }
    return len;
}

struct sink *open_fixture(const struct sink_options *options)
{
    struct err_text error;
    struct sink *sink = NULL;
    if (sink_open(options, &error, &sink) != 0) {
        fail_msg("%s", error.s);
    }
    return sink;
}

void close_fixture(struct sink *sink)
{
    struct err_text error;
    bool reader_left = true;
    if (sink_close(sink, NULL, &error, &reader_left) != 0) {
        fail_msg("%s", error.s);
    }
    assert_false(reader_left);
}
