/* Raw: what the items wrote, byte for byte, one item behind the other, and nothing else.
 *
 * When an item's output is one line (or one record between NULs), its separator was taken off on
 * the way here and is put back. An item that failed and said nothing is then no line: an empty one
 * would be taken for a result. */
#include "coordinator/sink/sink_format.h"

static void put_item(struct sink_text *text,
                     const struct sink_style *style,
                     const struct sink_item *item)
{
    const struct record *record = &item->record;
    sink_text_put(text, record->out, record->out_len);
    if (style->raw_lines && (record->out_len > 0 || record->status == RECORD_OK)) {
        sink_text_put_char(text, style->separator);
    }
}

const struct sink_format_ops sink_raw_ops = {.name = "raw", .put_item = put_item};
