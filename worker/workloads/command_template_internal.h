/* What a template is inside: for the file that reads templates and the one that fills them in. */
#ifndef QUARTET_WORKER_WORKLOADS_COMMAND_TEMPLATE_INTERNAL_H
#define QUARTET_WORKER_WORKLOADS_COMMAND_TEMPLATE_INTERNAL_H

#include "worker/workloads/command_template.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { QUOTED_MAX = 60 }; /* bytes of an item or a word that are shown */

enum part_kind {
    PART_TEXT,
    PART_ITEM,   /* the item, or a column of it */
    PART_NUMBER, /* {#} */
    PART_END,    /* of an argument */
};

/* What of a path is wanted. */
enum part_view { VIEW_ALL, VIEW_NO_EXTENSION, VIEW_BASE, VIEW_DIRECTORY, VIEW_BASE_NO_EXTENSION };

struct part {
    enum part_kind kind;
    enum part_view view;
    uint32_t column;  /* from 1; 0: the whole item */
    const char *text; /* PART_TEXT: into `words` */
    size_t len;
};

struct command_template {
    struct part *parts;
    size_t part_count;
    size_t part_room;
    size_t argument_count;
    char *words; /* one behind the other, each with its NUL */
    char colsep[COMMAND_COLSEP_MAX];
    size_t colsep_len; /* 0: no columns */
    bool shell;
    size_t size_max;
};

/* Some bytes that somebody else owns. */
struct piece {
    const char *bytes;
    size_t len;
};

#endif
