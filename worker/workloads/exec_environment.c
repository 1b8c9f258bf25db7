#include "worker/workloads/exec_environment.h"

#include "common/base/err.h"
#include "worker/workloads/command_template.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ADDED_COUNT = 3, ITEM_KEEP_MAX = 64 * 1024 };

static const char item_prefix[] = "QUARTET_ITEM=";

enum { PREFIX_LEN = sizeof(item_prefix) - 1 };

static bool is_ours(const char *variable)
{
    return strncmp(variable, item_prefix, PREFIX_LEN) == 0 ||
           strncmp(variable, "QUARTET_INDEX=", 14) == 0 ||
           strncmp(variable, "QUARTET_ATTEMPT=", 16) == 0;
}

int exec_environment_base(char ***ret_list, size_t *ret_count)
{
    size_t count = 0;
    while (environ != NULL && environ[count] != NULL) {
        count++;
    }
    char **list = calloc(count + 1, sizeof(*list));
    if (list == NULL) {
        return ERR_NOMEM;
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_ours(environ[i])) {
            list[kept++] = environ[i];
        }
    }
    *ret_list = list;
    *ret_count = kept;
    return 0;
}

int exec_environment_init(struct exec_environment *self, char *const *base, size_t base_count)
{
    *self = (struct exec_environment){.base_count = base_count};
    self->list = calloc(base_count + ADDED_COUNT + 1, sizeof(*self->list));
    if (self->list == NULL) {
        return ERR_NOMEM;
    }
    memcpy(self->list, base, base_count * sizeof(*base));
    self->list[base_count] = self->index;
    self->list[base_count + 1] = self->attempt;
    return 0;
}

void exec_environment_deinit(struct exec_environment *self)
{
    free(self->list);
    free(self->item);
    *self = (struct exec_environment){0};
}

/* Room for `len` bytes of an item behind the prefix. */
static int make_room(struct exec_environment *self, size_t len)
{
    size_t needed = PREFIX_LEN + len + 1;
    if (self->item_capacity > ITEM_KEEP_MAX || self->item_capacity < needed) {
        size_t capacity = needed < 256 ? 256 : needed * 2;
        char *item = malloc(capacity);
        if (item == NULL) {
            return ERR_NOMEM;
        }
        free(self->item);
        self->item = item;
        self->item_capacity = capacity;
        memcpy(self->item, item_prefix, PREFIX_LEN);
    }
    return 0;
}

int exec_environment_set(struct exec_environment *self, const struct workload_item *item)
{
    char number[COMMAND_NUMBER_SIZE];
    size_t len = 0;
    const char *bytes = command_item_text(item, number, &len);
    (void)snprintf(self->index, sizeof(self->index), "QUARTET_INDEX=%" PRIu64, item->index);
    (void)snprintf(self->attempt, sizeof(self->attempt), "QUARTET_ATTEMPT=%" PRIu32, item->attempt);
    self->list[self->base_count + 2] = NULL;
    if (len > COMMAND_ARGUMENT_MAX - PREFIX_LEN || memchr(bytes, '\0', len) != NULL) {
        return 0;
    }
    int rc = make_room(self, len);
    if (rc != 0) {
        return rc;
    }
    memcpy(self->item + PREFIX_LEN, bytes, len);
    self->item[PREFIX_LEN + len] = '\0';
    self->list[self->base_count + 2] = self->item;
    return 0;
}
