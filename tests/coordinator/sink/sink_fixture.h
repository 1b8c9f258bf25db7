/* What the tests of the sink share: text in memory, batches made from a list, files in a directory
 * of the test's own. */
#ifndef QUARTET_TESTS_COORDINATOR_SINK_SINK_FIXTURE_H
#define QUARTET_TESTS_COORDINATOR_SINK_SINK_FIXTURE_H

#include "common/base/blob.h"
#include "common/base/record.h"
#include "coordinator/sink/sink.h"
#include "coordinator/sink/sink_format.h"
#include "coordinator/sink/sink_text.h"

#include <stddef.h>

/* A text of any length: the buffer is drained into `all`. */
struct text_fixture {
    struct sink_text text;
    char *all;
    size_t len;
    size_t size;
    char bytes[SINK_TEXT_ROOM_MAX];
};

void text_fixture_init(struct text_fixture *fixture);

/* Everything that was put so far, NUL-terminated; borrowed until the next call. */
const char *text_fixture_all(struct text_fixture *fixture, size_t *ret_len);

/* Forget what was put. */
void text_fixture_clear(struct text_fixture *fixture);

/* The bytes that a literal has, as an output of a record: {FIXTURE_OUT("a\0b")}. */
#define FIXTURE_OUT(literal)    .out = "" literal, .out_len = sizeof(literal) - 1
#define FIXTURE_ERR(literal)    .err = "" literal, .err_len = sizeof(literal) - 1
#define FIXTURE_REASON(literal) .reason = "" literal, .reason_len = sizeof(literal) - 1

/* An item whose bytes are of this literal. */
#define FIXTURE_ITEM(literal) .bytes = "" literal, .len = sizeof(literal) - 1

/* An item and what it came to; texts that are NULL are empty ones. */
struct item_fixture {
    const char *bytes;
    size_t len;
    struct record record;
};

/* The payload of these items, and their records. */
struct blob *payload_fixture(const struct item_fixture *items, size_t count);
struct blob *records_fixture(const struct item_fixture *items, size_t count);

/* A sink; fails the test when it cannot be opened. */
struct sink *open_fixture(const struct sink_options *options);

/* Close it; fails the test when not everything was written. */
void close_fixture(struct sink *sink);

/* A directory that is empty; removed with what is in it by directory_fixture_free. */
char *directory_fixture_new(void);
void directory_fixture_free(char *directory);

/* "DIRECTORY/NAME", in one of a few static buffers. */
const char *path_fixture(const char *directory, const char *name);

/* A file's bytes, NUL-terminated, to be freed. Fails the test when it cannot be read. */
char *read_fixture(const char *path, size_t *ret_len);
void write_fixture(const char *path, const char *text);

/* Decode; returns the length. Fails the test when it is no base64. `to` has room for all. */
size_t base64_fixture(const char *text, char *to);

#endif
