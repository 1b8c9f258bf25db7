/* Tab-separated values, as PostgreSQL's COPY has them in its text format: tab, newline, carriage
 * return and backslash in a field are \t, \n, \r and \\, so that a row is a line and cut and awk
 * can be trusted. Every other byte is itself, UTF-8 or not. */
#include "coordinator/sink/sink_columns.h"

/* What follows the backslash; 0: the byte stands for itself. */
static char escape_of(char c)
{
    switch (c) {
    case '\t':
        return 't';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\\':
        return '\\';
    default:
        return 0;
    }
}

static void put_field(struct sink_text *text, const char *bytes, size_t len)
{
    size_t plain = 0; /* bytes before `i` that are still to be written */
    for (size_t i = 0; i < len; i++) {
        char escape = escape_of(bytes[i]);
        if (escape == 0) {
            plain++;
            continue;
        }
        sink_text_put(text, bytes + i - plain, plain);
        sink_text_put_char(text, '\\');
        sink_text_put_char(text, escape);
        plain = 0;
    }
    sink_text_put(text, bytes + len - plain, plain);
}

static const struct sink_columns columns = {.delimiter = '\t', .put_field = put_field};

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

const struct sink_format_ops sink_tsv_ops = {.name = "tsv",
                                             .put_header = put_header,
                                             .put_item = put_item};
