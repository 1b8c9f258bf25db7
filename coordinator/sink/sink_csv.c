/* CSV as RFC 4180 has it: a field with a comma, a quote or a line break is quoted, quotes in it are
 * doubled. Rows end in a bare newline, as those of the report do (report_csv.c says why). Bytes that
 * are not UTF-8 are kept as they are. */
#include "coordinator/sink/sink_columns.h"

static bool needs_quotes(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == ',' || bytes[i] == '"' || bytes[i] == '\n' || bytes[i] == '\r') {
            return true;
        }
    }
    return false;
}

static void put_field(struct sink_text *text, const char *bytes, size_t len)
{
    if (!needs_quotes(bytes, len)) {
        sink_text_put(text, bytes, len);
        return;
    }
    sink_text_put_char(text, '"');
    while (len > 0) {
        const char *quote = memchr(bytes, '"', len);
        size_t part = quote != NULL ? (size_t)(quote - bytes) + 1 : len;
        sink_text_put(text, bytes, part);
        if (quote != NULL) {
            sink_text_put_char(text, '"');
        }
        bytes += part;
        len -= part;
    }
    sink_text_put_char(text, '"');
}

static const struct sink_columns columns = {.delimiter = ',', .put_field = put_field};

static void put_header(struct sink_text *text)
{
    sink_columns_put_header(text, &columns);
}

static void put_item(struct sink_text *text,
                     const struct sink_style *style,
                     const struct sink_item *item)
{
    sink_columns_put_item(text, &columns, style, item);
}

const struct sink_format_ops sink_csv_ops = {.name = "csv",
                                             .put_header = put_header,
                                             .put_item = put_item};
