/* How an item is written: one table of functions a format, each in a file of its own.
 *
 * The formats that are chosen by name (ndjson, tsv, csv, raw) and those of the job log and of the
 * failed items have the same shape. They are pure: an item in, bytes out. */
#ifndef QUARTET_COORDINATOR_SINK_SINK_FORMAT_H
#define QUARTET_COORDINATOR_SINK_SINK_FORMAT_H

#include "common/base/record.h"
#include "coordinator/sink/sink.h"
#include "coordinator/sink/sink_text.h"

/* One item and what it came to; everything is borrowed. */
struct sink_item {
    uint64_t index;
    const char *bytes; /* of the item; NULL: it is `number` */
    size_t len;
    uint64_t number;
    bool is_lost; /* never ran to an end: of `record` only `reason` says something */
    uint32_t attempt;
    const char *worker;   /* never NULL; "": not known */
    struct record record; /* of a lost item: RECORD_FAILED, with empty texts but for `reason` */
};

/* What the user chose, as far as it changes how an item is written. */
struct sink_style {
    char separator;
    bool raw_lines;
    bool exits;
    const char *command; /* NULL: none */
};

struct sink_format_ops {
    const char *name;

    /* What comes before the first item; NULL: nothing. Once a file. */
    void (*put_header)(struct sink_text *text);

    /* All that is written about one item; nothing when the format has nothing to say about it.
     * Cannot fail. */
    void (*put_item)(struct sink_text *text,
                     const struct sink_style *style,
                     const struct sink_item *item);
};

extern const struct sink_format_ops sink_ndjson_ops;
extern const struct sink_format_ops sink_tsv_ops;
extern const struct sink_format_ops sink_csv_ops;
extern const struct sink_format_ops sink_raw_ops;
extern const struct sink_format_ops sink_joblog_ops;
extern const struct sink_format_ops sink_failures_ops;

/* Never NULL. */
const struct sink_format_ops *sink_format_get(enum sink_format format);

/* "ok", "failed", "timeout", "crashed", "lost". */
const char *sink_status_name(const struct sink_item *item);

/* Did a program of it come to an end with a status that is worth saying: one that is not 0, or, of
 * commands, the 0 of success? */
bool sink_item_has_exit(const struct sink_style *style, const struct sink_item *item);

/* The item as text: its bytes, or its number in decimal into `ret_digits`, which then `*ret_bytes`
 * points to. */
void sink_item_text(const struct sink_item *item,
                    char ret_digits[SINK_TEXT_U64_SIZE],
                    const char **ret_bytes,
                    size_t *ret_len);

#endif
