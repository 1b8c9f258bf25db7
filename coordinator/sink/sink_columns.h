/* Rows of a fixed set of columns: what tsv and csv have in common. */
#ifndef QUARTET_COORDINATOR_SINK_SINK_COLUMNS_H
#define QUARTET_COORDINATOR_SINK_SINK_COLUMNS_H

#include "coordinator/sink/sink_format.h"

struct sink_columns {
    char delimiter;
    /* A text with whatever keeps it one field of one row. */
    void (*put_field)(struct sink_text *text, const char *bytes, size_t len);
};

/* index,item,status,attempt,worker,start,seconds,exit,signal,value,stdout,stderr,reason */
void sink_columns_put_header(struct sink_text *text, const struct sink_columns *columns);

/* What an item does not have is an empty field. */
void sink_columns_put_item(struct sink_text *text,
                           const struct sink_columns *columns,
                           const struct sink_style *style,
                           const struct sink_item *item);

#endif
