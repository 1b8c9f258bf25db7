/* Doubly linked lists whose nodes are elements of an array and are named by index, so that the
 * array may move when it grows. An element may be in several lists through several `struct link`
 * members. Part of the scheduler. */
#ifndef QUARTET_COORDINATOR_SCHED_SCHED_LIST_H
#define QUARTET_COORDINATOR_SCHED_SCHED_LIST_H

#include <stddef.h>
#include <stdint.h>

#define INDEX_NONE UINT32_MAX

struct link {
    uint32_t previous;
    uint32_t next;
};

struct list {
    uint32_t head;
    uint32_t tail;
};

#define LIST_EMPTY ((struct list){INDEX_NONE, INDEX_NONE})

/* Where the links of one member are: LINKS(table->chunks, order). */
struct links {
    void *first;
    size_t stride;
};

#define LINKS(array, member) ((struct links){&(array)->member, sizeof(*(array))})

static inline struct link *list_link(struct links links, uint32_t index)
{
    return (struct link *)(void *)((char *)links.first + links.stride * index);
}

static inline void list_append(struct list *list, struct links links, uint32_t index)
{
    *list_link(links, index) = (struct link){list->tail, INDEX_NONE};
    if (list->tail == INDEX_NONE) {
        list->head = index;
    } else {
        list_link(links, list->tail)->next = index;
    }
    list->tail = index;
}

static inline void list_prepend(struct list *list, struct links links, uint32_t index)
{
    *list_link(links, index) = (struct link){INDEX_NONE, list->head};
    if (list->head == INDEX_NONE) {
        list->tail = index;
    } else {
        list_link(links, list->head)->previous = index;
    }
    list->head = index;
}

/* Behind `place`, which is in the list. */
static inline void list_insert(struct list *list,
                               struct links links,
                               uint32_t place,
                               uint32_t index)
{
    uint32_t next = list_link(links, place)->next;
    *list_link(links, index) = (struct link){place, next};
    list_link(links, place)->next = index;
    if (next == INDEX_NONE) {
        list->tail = index;
    } else {
        list_link(links, next)->previous = index;
    }
}

static inline void list_remove(struct list *list, struct links links, uint32_t index)
{
    struct link link = *list_link(links, index);
    if (link.previous == INDEX_NONE) {
        list->head = link.next;
    } else {
        list_link(links, link.previous)->next = link.next;
    }
    if (link.next == INDEX_NONE) {
        list->tail = link.previous;
    } else {
        list_link(links, link.next)->previous = link.previous;
    }
}

#endif
