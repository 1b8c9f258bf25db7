/* NDJSON: one object a line, written by hand because a tree of JSON values for each item would
 * cost more than the item.
 *
 * Keys that say nothing are left out: empty outputs, a signal of 0, the times of a lost item. Bytes
 * that are not UTF-8 come as base64 under another key ("stdout_base64"), exactly as they were. */
#include "coordinator/sink/sink_format.h"

/* An output or an item. `key` and `key_base64` are with comma, quotes and colon. A text that was
 * cut in the middle of a character loses the rest of that character, not its readability. */
static void put_bytes(struct sink_text *text,
                      const char *key,
                      const char *key_base64,
                      const char *bytes,
                      size_t len,
                      bool is_cut)
{
    size_t right = sink_text_utf8(bytes, len);
    if (right == len || (is_cut && sink_text_is_cut_utf8(bytes + right, len - right))) {
        sink_text_put(text, key, strlen(key));
        sink_text_put_char(text, '"');
        sink_text_put_json(text, bytes, right);
    } else {
        sink_text_put(text, key_base64, strlen(key_base64));
        sink_text_put_char(text, '"');
        sink_text_put_base64(text, bytes, len);
    }
    sink_text_put_char(text, '"');
}

static void put_name_of_item(struct sink_text *text, const struct sink_item *item)
{
    if (item->bytes != NULL) {
        put_bytes(text, ",\"item\":", ",\"item_base64\":", item->bytes, item->len, false);
    } else {
        SINK_TEXT_PUT(text, ",\"item\":");
        sink_text_put_u64(text, item->number);
    }
}

static void put_where(struct sink_text *text, const struct sink_item *item)
{
    const char *status = sink_status_name(item);
    SINK_TEXT_PUT(text, ",\"status\":\"");
    sink_text_put(text, status, strlen(status));
    SINK_TEXT_PUT(text, "\",\"attempt\":");
    sink_text_put_u64(text, item->attempt);
    if (item->worker[0] != '\0') {
        SINK_TEXT_PUT(text, ",\"worker\":\"");
        sink_text_put_json_lossy(text, item->worker, strlen(item->worker));
        SINK_TEXT_PUT(text, "\"");
    }
}

static void put_when(struct sink_text *text, const struct record *record)
{
    if (sink_text_has_time(record->start_us)) {
        SINK_TEXT_PUT(text, ",\"start\":\"");
        sink_text_put_time(text, record->start_us);
        SINK_TEXT_PUT(text, "\"");
    }
    SINK_TEXT_PUT(text, ",\"seconds\":");
    sink_text_put_seconds(text, record->run_us);
}

static void put_end(struct sink_text *text,
                    const struct sink_style *style,
                    const struct sink_item *item)
{
    if (sink_item_has_exit(style, item)) {
        SINK_TEXT_PUT(text, ",\"exit\":");
        sink_text_put_u64(text, item->record.exit_status);
    }
    if (item->record.signal != 0) {
        SINK_TEXT_PUT(text, ",\"signal\":");
        sink_text_put_u64(text, item->record.signal);
    }
    if ((item->record.flags & RECORD_HAS_VALUE) != 0) {
        SINK_TEXT_PUT(text, ",\"value\":");
        sink_text_put_u64(text, item->record.value);
    }
}

static void put_outputs(struct sink_text *text, const struct record *record)
{
    bool out_is_cut = (record->flags & RECORD_OUT_TRUNCATED) != 0;
    bool err_is_cut = (record->flags & RECORD_ERR_TRUNCATED) != 0;
    if (record->out_len > 0) {
        put_bytes(
            text, ",\"stdout\":", ",\"stdout_base64\":", record->out, record->out_len, out_is_cut);
    }
    if (out_is_cut) {
        SINK_TEXT_PUT(text, ",\"stdout_truncated\":true");
    }
    if (record->err_len > 0) {
        put_bytes(
            text, ",\"stderr\":", ",\"stderr_base64\":", record->err, record->err_len, err_is_cut);
    }
    if (err_is_cut) {
        SINK_TEXT_PUT(text, ",\"stderr_truncated\":true");
    }
}

static void put_item(struct sink_text *text,
                     const struct sink_style *style,
                     const struct sink_item *item)
{
    const struct record *record = &item->record;
    SINK_TEXT_PUT(text, "{\"index\":");
    sink_text_put_u64(text, item->index);
    put_name_of_item(text, item);
    put_where(text, item);
    if (!item->is_lost) {
        put_when(text, record);
        put_end(text, style, item);
        put_outputs(text, record);
    }
    if (record->reason_len > 0) {
        SINK_TEXT_PUT(text, ",\"reason\":\"");
        sink_text_put_json_lossy(text, record->reason, record->reason_len);
        SINK_TEXT_PUT(text, "\"");
    }
    SINK_TEXT_PUT(text, "}\n");
}

const struct sink_format_ops sink_ndjson_ops = {.name = "ndjson", .put_item = put_item};
