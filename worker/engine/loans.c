/* Chunks that are away with a slot without a share; see loans.h. */
#include "worker/engine/loans.h"

#include "common/base/check.h"
#include "common/base/err.h"

#include <stdlib.h>

int loans_init(struct loans *loans, uint32_t max)
{
    loans->list = calloc(max, sizeof(*loans->list));
    loans->free = calloc(max, sizeof(*loans->free));
    if (loans->list == NULL || loans->free == NULL) {
        loans_deinit(loans);
        return ERR_NOMEM;
    }
    loans->max = max;
    loans->free_count = max;
    for (uint32_t i = 0; i < max; i++) {
        loans->free[i] = max - 1 - i;
    }
    return 0;
}

void loans_deinit(struct loans *loans)
{
    free(loans->list);
    free(loans->free);
    *loans = (struct loans){.max = 0};
}

uint32_t loans_add(struct loans *loans, const struct chunk *chunk)
{
    CHECK(loans->free_count > 0);
    uint32_t place = loans->free[--loans->free_count];
    loans->list[place] = *chunk;
    loans->list[place].payload = NULL;
    return place;
}

void loans_end(struct loans *loans, uint32_t place)
{
    CHECK(place < loans->max && loans->list[place].count > 0);
    loans->list[place].count = 0;
    loans->free[loans->free_count++] = place;
}
