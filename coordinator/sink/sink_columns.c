/* Rows of tsv and csv; see sink_columns.h. */
#include "coordinator/sink/sink_columns.h"

void sink_columns_put_header(struct sink_text *text, const struct sink_columns *columns)
{
    static const char *const names[] = {"index",
                                        "item",
                                        "status",
                                        "attempt",
                                        "worker",
                                        "start",
                                        "seconds",
                                        "exit",
                                        "signal",
                                        "value",
                                        "stdout",
                                        "stderr",
                                        "reason"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (i > 0) {
            sink_text_put_char(text, columns->delimiter);
        }
        sink_text_put(text, names[i], strlen(names[i]));
    }
    sink_text_put_char(text, '\n');
}

static void put_text(struct sink_text *text,
                     const struct sink_columns *columns,
                     const char *bytes,
                     size_t len)
{
    sink_text_put_char(text, columns->delimiter);
    columns->put_field(text, bytes, len);
}

static void put_number(struct sink_text *text,
                       const struct sink_columns *columns,
                       bool known,
                       uint64_t value)
{
    sink_text_put_char(text, columns->delimiter);
    if (known) {
        sink_text_put_u64(text, value);
    }
}

static void put_what(struct sink_text *text,
                     const struct sink_columns *columns,
                     const struct sink_item *item)
{
    sink_text_put_u64(text, item->index);
    if (item->bytes != NULL) {
        put_text(text, columns, item->bytes, item->len);
    } else {
        put_number(text, columns, true, item->number);
    }
    const char *status = sink_status_name(item);
    put_text(text, columns, status, strlen(status));
    put_number(text, columns, true, item->attempt);
    put_text(text, columns, item->worker, strlen(item->worker));
}

static void put_when(struct sink_text *text,
                     const struct sink_columns *columns,
                     const struct sink_item *item)
{
    sink_text_put_char(text, columns->delimiter);
    if (!item->is_lost && sink_text_has_time(item->record.start_us)) {
        sink_text_put_time(text, item->record.start_us);
    }
    sink_text_put_char(text, columns->delimiter);
    if (!item->is_lost) {
        sink_text_put_seconds(text, item->record.run_us);
    }
}

void sink_columns_put_item(struct sink_text *text,
                           const struct sink_columns *columns,
                           const struct sink_style *style,
                           const struct sink_item *item)
{
    const struct record *record = &item->record;
    put_what(text, columns, item);
    put_when(text, columns, item);
    put_number(text, columns, sink_item_has_exit(style, item), record->exit_status);
    put_number(text, columns, record->signal != 0, record->signal);
    put_number(text, columns, (record->flags & RECORD_HAS_VALUE) != 0, record->value);
    put_text(text, columns, record->out, record->out_len);
    put_text(text, columns, record->err, record->err_len);
    put_text(text, columns, record->reason, record->reason_len);
    sink_text_put_char(text, '\n');
}
