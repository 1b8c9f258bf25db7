/* Prints items as they would have printed themselves: what they wrote to standard output goes
 * there, the rest to standard error, whole items one after the other. One thread. */
#ifndef QUARTET_COORDINATOR_SINK_SINK_PRINT_H
#define QUARTET_COORDINATOR_SINK_SINK_PRINT_H

#include "coordinator/sink/sink_file.h"
#include "coordinator/sink/sink_format.h"

struct sink_print {
    struct sink_file out;
    struct sink_file err;
    struct sink_file_buffer out_buffer;
    struct sink_file_buffer err_buffer;
    bool tag; /* each line begins with the item and a tab */
};

/* Print the item. When it has something for both, they are written in turn, so that they come in
 * this order where both go to one terminal. */
void sink_print_put(struct sink_print *print,
                    const struct sink_style *style,
                    const struct sink_item *item);

#endif
