/* The items that failed for good, in the form --items reads, so that the file given back runs just
 * those. */
#include "coordinator/sink/sink_format.h"

static void put_item(struct sink_text *text,
                     const struct sink_style *style,
                     const struct sink_item *item)
{
    if (item->record.status == RECORD_OK) {
        return;
    }
    if (item->bytes != NULL) {
        sink_text_put(text, item->bytes, item->len);
    } else {
        sink_text_put_u64(text, item->number);
    }
    sink_text_put_char(text, style->separator);
}

const struct sink_format_ops sink_failures_ops = {.name = "failures", .put_item = put_item};
