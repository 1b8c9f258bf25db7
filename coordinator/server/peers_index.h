/* Which worker has a number: its nonce, its address, its connection. A table of open addressing over the indices of
 * peers.h, twice as large as what is in it at least, so that finding one of ten thousand costs what finding one of two does.
 * Numbers that are 0 are nobody's. Pure but for the table's memory. */
#ifndef QUARTET_COORDINATOR_SERVER_PEERS_INDEX_H
#define QUARTET_COORDINATOR_SERVER_PEERS_INDEX_H

#include <stdbool.h>
#include <stdint.h>

struct peers_index {
    struct peers_index_entry {
        uint64_t number; /* 0: free */
        uint32_t index;
    } * table;

    uint32_t mask;
    uint32_t count;
};

/* Returns 0 or ERR_NOMEM. */
int peers_index_init(struct peers_index *index);
void peers_index_deinit(struct peers_index *index);

/* Room for one more. Returns 0 or ERR_NOMEM; nothing that can be seen has changed then. */
int peers_index_reserve(struct peers_index *index);

/* Whoever had that number before has it no more. Room was reserved. */
void peers_index_put(struct peers_index *index, uint64_t number, uint32_t at);

/* Only when it is `at` that has it. */
void peers_index_remove(struct peers_index *index, uint64_t number, uint32_t at);

/* False: nobody has it. */
bool peers_index_find(const struct peers_index *index, uint64_t number, uint32_t *ret_at);

#endif
