#include "coordinator/journal/journal_batch.h"

#include <stdlib.h>
#include <string.h>

void journal_batch_deinit(struct sink_batch *batch)
{
    free((char *)(uintptr_t)batch->worker);
    free((char *)(uintptr_t)batch->lost);
    blob_unref(batch->payload);
    blob_unref(batch->records);
    *batch = (struct sink_batch){0};
}

static int copy_batch(const struct sink_batch *from, struct sink_batch *to)
{
    *to = *from;
    to->worker = strdup(from->worker != NULL ? from->worker : "");
    to->lost = strdup(from->lost != NULL ? from->lost : "");
    blob_ref(to->payload);
    blob_ref(to->records);
    return to->worker != NULL && to->lost != NULL ? 0 : ERR_NOMEM;
}

void journal_places_free(struct sink_place *places, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free((char *)(uintptr_t)places[i].path);
    }
    free(places);
}

static int copy_places(const struct sink_mark *from, struct journal_mark *to)
{
    to->places = calloc(from->place_count + 1, sizeof(*to->places));
    for (size_t i = 0; to->places != NULL && i < from->place_count; i++) {
        to->places[i] = from->places[i];
        to->places[i].path = strdup(from->places[i].path);
        to->place_count++;
        if (to->places[i].path == NULL) {
            return ERR_NOMEM;
        }
    }
    return to->places != NULL ? 0 : ERR_NOMEM;
}

static int copy_waiting(const struct sink_mark *from, struct journal_mark *to)
{
    to->waiting = calloc(from->waiting_count + 1, sizeof(*to->waiting));
    for (size_t i = 0; to->waiting != NULL && i < from->waiting_count; i++) {
        to->waiting_count++;
        if (copy_batch(&from->waiting[i], &to->waiting[i]) != 0) {
            return ERR_NOMEM;
        }
    }
    return to->waiting != NULL ? 0 : ERR_NOMEM;
}

int journal_mark_copy(const struct sink_mark *mark, struct journal_mark *ret_mark)
{
    struct journal_mark copy = {.next = mark->next};
    if (copy_places(mark, &copy) != 0 || copy_waiting(mark, &copy) != 0) {
        journal_mark_deinit(&copy);
        return ERR_NOMEM;
    }
    *ret_mark = copy;
    return 0;
}

void journal_mark_deinit(struct journal_mark *mark)
{
    journal_places_free(mark->places, mark->place_count);
    for (size_t i = 0; i < mark->waiting_count; i++) {
        journal_batch_deinit(&mark->waiting[i]);
    }
    free(mark->waiting);
    *mark = (struct journal_mark){0};
}
