/* When to stop before all items are done; see halt.h. */
#include "coordinator/runner/halt.h"

#include "common/base/units.h"

#include <stdlib.h>
#include <string.h>

static int refuse(const char *text, struct err_text *ret_error)
{
    return err_set(ret_error,
                   ERR_INVALID,
                   "'%.64s' is not a condition to stop: give never, or soon or now, a comma, and "
                   "fail=, success= or done= with a number of items or a percentage, as in "
                   "soon,fail=3 or now,fail=10%%",
                   text);
}

/* "3" or "3%". */
static bool parse_amount(const char *text, struct halt *halt)
{
    size_t len = strlen(text);
    if (len > 1 && text[len - 1] == '%') {
        char *end;
        halt->percent = strtod(text, &end);
        return end == text + len - 1 && text[0] >= '0' && text[0] <= '9' && halt->percent > 0 &&
               halt->percent <= 100;
    }
    return units_parse_u64(text, UINT64_MAX, &halt->count) == 0 && halt->count > 0;
}

/* The forms from before there was a grammar. */
static bool parse_short(const char *text, struct halt *halt)
{
    static const struct {
        const char *text;
        struct halt halt;
    } forms[] = {
        {"never", {.when = HALT_NEVER}},
        {"0", {.when = HALT_NEVER}},
        {"1", {.when = HALT_SOON, .count = 1}},
        {"2", {.when = HALT_NOW, .count = 1}},
        {"-1", {.when = HALT_SOON, .why = HALT_SUCCESS, .count = 1}},
        {"-2", {.when = HALT_NOW, .why = HALT_SUCCESS, .count = 1}},
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (strcmp(text, forms[i].text) == 0) {
            *halt = forms[i].halt;
            return true;
        }
    }
    halt->when = HALT_SOON;
    return strchr(text, '%') != NULL && parse_amount(text, halt);
}

static bool parse_whole(const char *text, struct halt *halt)
{
    static const char *const whens[] = {"soon,", "now,"};
    static const char *const whys[] = {"fail=", "success=", "done="};
    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(whens[i]);
        for (size_t k = 0; k < 3 && strncmp(text, whens[i], len) == 0; k++) {
            if (strncmp(text + len, whys[k], strlen(whys[k])) == 0) {
                halt->when = i == 0 ? HALT_SOON : HALT_NOW;
                halt->why = (enum halt_why)k;
                return parse_amount(text + len + strlen(whys[k]), halt);
            }
        }
    }
    return false;
}

int halt_parse(const char *text, struct halt *ret_halt, struct err_text *ret_error)
{
    struct halt halt = {.when = HALT_NEVER};
    struct halt other = {.when = HALT_NEVER};
    if (parse_whole(text, &halt)) {
        *ret_halt = halt;
        return 0;
    }
    if (parse_short(text, &other)) {
        *ret_halt = other;
        return 0;
    }
    return refuse(text, ret_error);
}

enum halt_when halt_check(const struct halt *halt, uint64_t ok, uint64_t failed, uint64_t total)
{
    uint64_t have = halt->why == HALT_FAIL ? failed : halt->why == HALT_SUCCESS ? ok : ok + failed;
    if (halt->when == HALT_NEVER || have == 0) {
        return HALT_NEVER;
    }
    if (halt->count > 0) {
        return have >= halt->count ? halt->when : HALT_NEVER;
    }
    double wanted = (double)total * halt->percent / 100;
    return total > 0 && (double)have >= wanted ? halt->when : HALT_NEVER;
}
