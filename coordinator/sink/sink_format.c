/* The formats by name, and what they share; see sink_format.h. */
#include "coordinator/sink/sink_format.h"

#include "common/base/check.h"

static const struct sink_format_ops *const formats[] = {
    [SINK_NDJSON] = &sink_ndjson_ops,
    [SINK_TSV] = &sink_tsv_ops,
    [SINK_CSV] = &sink_csv_ops,
    [SINK_RAW] = &sink_raw_ops,
};

enum { FORMAT_COUNT = sizeof(formats) / sizeof(formats[0]) };

const struct sink_format_ops *sink_format_get(enum sink_format format)
{
    CHECK((unsigned)format < FORMAT_COUNT);
    return formats[format];
}

int sink_format_from_name(const char *name, enum sink_format *ret_format, struct err_text *error)
{
    for (unsigned i = 0; i < FORMAT_COUNT; i++) {
        if (strcmp(formats[i]->name, name) == 0) {
            *ret_format = (enum sink_format)i;
            return 0;
        }
    }
    return err_set(error,
                   ERR_NOT_FOUND,
                   "no format of results is called '%s'; there are ndjson, tsv, csv and raw",
                   name);
}

const char *sink_status_name(const struct sink_item *item)
{
    static const char *const names[] = {
        [RECORD_OK] = "ok",
        [RECORD_FAILED] = "failed",
        [RECORD_TIMED_OUT] = "timeout",
        [RECORD_CRASHED] = "crashed",
    };
    return item->is_lost ? "lost" : names[item->record.status];
}

bool sink_item_has_exit(const struct sink_style *style, const struct sink_item *item)
{
    return item->record.exit_status != 0 ||
           (style->exits && !item->is_lost && item->record.status == RECORD_OK);
}

void sink_item_text(const struct sink_item *item,
                    char ret_digits[SINK_TEXT_U64_SIZE],
                    const char **ret_bytes,
                    size_t *ret_len)
{
    if (item->bytes != NULL) {
        *ret_bytes = item->bytes;
        *ret_len = item->len;
        return;
    }
    char *end = ret_digits + SINK_TEXT_U64_SIZE;
    char *at = end;
    uint64_t value = item->number;
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    *ret_bytes = at;
    *ret_len = (size_t)(end - at);
}
