#include "coordinator/launchers/slurm_time.h"

#include "common/base/err.h"
#include "common/base/units.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

enum { PARTS_MAX = 3, PART_SIZE = 16, NUMBER_MAX = 999999999, MINUTE_S = 60 };

/* The numbers between colons, from the left on. Returns how many there are; 0: it is none. */
static size_t parse_parts(const char *text, uint64_t ret_parts[PARTS_MAX])
{
    size_t count = 0;
    for (;;) {
        char number[PART_SIZE];
        size_t len = strcspn(text, ":");
        if (count == PARTS_MAX || len >= sizeof(number)) {
            return 0;
        }
        memcpy(number, text, len);
        number[len] = '\0';
        if (units_parse_u64(number, NUMBER_MAX, &ret_parts[count++]) != 0) {
            return 0;
        }
        if (text[len] == '\0') {
            return count;
        }
        text += len + 1;
    }
}

/* Behind the first one minutes and seconds are below 60: more is a slip. */
static bool later_parts_fit(const uint64_t *parts, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (parts[i] >= 60) {
            return false;
        }
    }
    return true;
}

/* `units`: how many seconds the first part's unit has, and so on. */
static uint64_t sum(const uint64_t *parts, size_t count, const uint64_t *units)
{
    uint64_t seconds = 0;
    for (size_t i = 0; i < count; i++) {
        seconds += parts[i] * units[i];
    }
    return seconds;
}

static int parse_with_days(const char *text, size_t dash, uint64_t *ret_seconds)
{
    static const uint64_t units[] = {3600, 60, 1};
    char number[PART_SIZE];
    uint64_t parts[PARTS_MAX];
    uint64_t days;
    if (dash >= sizeof(number)) {
        return ERR_INVALID;
    }
    memcpy(number, text, dash);
    number[dash] = '\0';
    size_t count = parse_parts(text + dash + 1, parts);
    if (units_parse_u64(number, NUMBER_MAX, &days) != 0 || count == 0 ||
        !later_parts_fit(parts, count)) {
        return ERR_INVALID;
    }
    *ret_seconds = days * 86400 + sum(parts, count, units);
    return 0;
}

static int parse_without_days(const char *text, uint64_t *ret_seconds)
{
    static const uint64_t units[] = {3600, 60, 1};
    uint64_t parts[PARTS_MAX];
    size_t count = parse_parts(text, parts);
    if (count == 0 || !later_parts_fit(parts, count)) {
        return ERR_INVALID;
    }
    *ret_seconds = sum(parts, count, count == 3 ? units : units + 1);
    return 0;
}

static int parse(const char *text, uint64_t *ret_seconds)
{
    size_t dash = strcspn(text, "-");
    return text[dash] == '-' ? parse_with_days(text, dash, ret_seconds)
                             : parse_without_days(text, ret_seconds);
}

int slurm_time_left_parse(const char *text, uint64_t *ret_seconds)
{
    return parse(text, ret_seconds) == 0 ? 0 : ERR_NOT_FOUND;
}

int slurm_time_parse(const char *text, uint64_t *ret_seconds)
{
    uint64_t seconds = 0;
    if (strcasecmp(text, "INFINITE") != 0 && strcasecmp(text, "UNLIMITED") != 0) {
        int rc = parse(text, &seconds);
        if (rc != 0) {
            return rc;
        }
    }
    *ret_seconds = (seconds + MINUTE_S - 1) / MINUTE_S * MINUTE_S;
    return 0;
}
