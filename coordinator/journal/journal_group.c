#include "coordinator/journal/journal_group.h"

#include <stdlib.h>
#include <string.h>

enum { FAILED_MIN = 64, REASONS_MIN = 4096 };

/* Room for one more failure. */
static int make_room(struct journal_group *group)
{
    if (group->failed_count == group->failed_size) {
        size_t size = group->failed_size == 0 ? FAILED_MIN : 2 * group->failed_size;
        struct journal_failed *failed = reallocarray(group->failed, size, sizeof(*failed));
        if (failed == NULL) {
            return ERR_NOMEM;
        }
        group->failed = failed;
        group->failed_size = size;
    }
    if (group->reasons_size - group->reasons_len < JOURNAL_REASON_MAX) {
        size_t size = group->reasons_size == 0 ? REASONS_MIN : 2 * group->reasons_size;
        char *reasons = realloc(group->reasons, size);
        if (reasons == NULL) {
            return ERR_NOMEM;
        }
        group->reasons = reasons;
        group->reasons_size = size;
    }
    return 0;
}

int journal_group_add_failed(struct journal_group *group,
                             uint64_t index,
                             uint32_t attempt,
                             const char *reason,
                             size_t reason_len)
{
    int code = make_room(group);
    if (code != 0) {
        return code;
    }
    size_t room = reason_len < JOURNAL_REASON_MAX ? reason_len : JOURNAL_REASON_MAX - 1;
    size_t len = room > 0 ? strnlen(reason, room) : 0;
    char *to = group->reasons + group->reasons_len;
    if (len > 0) {
        memcpy(to, reason, len);
    }
    to[len] = '\0';
    err_one_line(to);
    group->failed[group->failed_count++] = (struct journal_failed){
        .index = index,
        .attempt = attempt,
        .reason_offset = group->reasons_len,
        .reason_len = (uint32_t)len,
    };
    group->reasons_len += len;
    return 0;
}

bool journal_group_is_empty(const struct journal_group *group)
{
    return group->done.count == 0 && group->failed_count == 0;
}

void journal_group_clear(struct journal_group *group)
{
    group->done.count = 0;
    group->done.hint = 0;
    group->done.members = 0;
    group->failed_count = 0;
    group->reasons_len = 0;
    group->last = false;
}

void journal_group_deinit(struct journal_group *group)
{
    interval_deinit(&group->done);
    free(group->failed);
    free(group->reasons);
    *group = (struct journal_group){0};
}
