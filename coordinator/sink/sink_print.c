/* Items on the terminal; see sink_print.h. */
#include "coordinator/sink/sink_print.h"

/* The item in front of a line. A line break or an escape sequence in it would spoil the terminal's
 * lines, so control characters are shown as '?'. */
static void put_tag(struct sink_text *text, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        bool is_control = (c < ' ' && c != '\t') || c == 0x7f;
        sink_text_put_char(text, (char)(is_control ? '?' : c));
    }
    sink_text_put_char(text, '\t');
}

/* Each line with the item in front; the last one gets a newline if it has none, else the next tag
 * would stand in the middle of a line. */
static void put_tagged(struct sink_text *text,
                       const struct sink_item *item,
                       const char *bytes,
                       size_t len)
{
    char digits[SINK_TEXT_U64_SIZE];
    const char *tag;
    size_t tag_len;
    sink_item_text(item, digits, &tag, &tag_len);
    while (len > 0) {
        const char *newline = memchr(bytes, '\n', len);
        size_t line_len = newline != NULL ? (size_t)(newline - bytes) : len;
        put_tag(text, tag, tag_len);
        sink_text_put(text, bytes, line_len);
        sink_text_put_char(text, '\n');
        size_t step = line_len + (newline != NULL);
        bytes += step;
        len -= step;
    }
}

static void put_out(const struct sink_print *print,
                    struct sink_text *text,
                    const struct sink_style *style,
                    const struct sink_item *item)
{
    const struct record *record = &item->record;
    if (!print->tag) {
        sink_raw_ops.put_item(text, style, item);
    } else if (record->out_len > 0 || !style->raw_lines) {
        put_tagged(text, item, record->out, record->out_len);
    } else if (record->status == RECORD_OK) {
        put_tagged(text, item, "\n", 1); /* the empty line was a result */
    }
}

void sink_print_put(struct sink_print *print,
                    const struct sink_style *style,
                    const struct sink_item *item)
{
    const struct record *record = &item->record;
    put_out(print, sink_file_text(&print->out), style, item);
    sink_file_end_item(&print->out);
    if (record->err_len == 0) {
        return;
    }
    sink_file_flush(&print->out);
    if (print->tag) {
        put_tagged(sink_file_text(&print->err), item, record->err, record->err_len);
    } else {
        sink_text_put(sink_file_text(&print->err), record->err, record->err_len);
    }
    sink_file_end_item(&print->err);
    sink_file_flush(&print->err);
}
