/* matches: how often does a regular expression match in an item? A plugin in C++ (20, for the table's
 * designated initialisers). The contract is C's: no exception may leave a function of the table.
 *
 *   quartet run ./libmatches.so --items /usr/share/dict/words --param pattern='[aeiou]{3}' */
#include <cstdio>
#include <exception>
#include <iterator>
#include <quartet/workload.h>
#include <regex>

namespace
{

/* Shared by all slots: matching does not change it. */
struct state {
    std::regex pattern;
};

int matches_open(const struct params *params,
                 const struct workload_host *host,
                 struct err_text *ret_error,
                 void **ret_state)
{
    try {
        *ret_state = new state{std::regex(host->param(params, "pattern"))};
        return 0;
    } catch (const std::exception &why) { /* no such pattern, or no memory */
        char text[200];
        (void)std::snprintf(text, sizeof(text), "matches: bad pattern: %s", why.what());
        host->set_error(ret_error, text);
        return -1;
    }
}

void matches_close(void *opaque)
{
    delete static_cast<state *>(opaque);
}

int matches_slot_open(void *state, struct err_text *, void **ret_slot)
{
    *ret_slot = state;
    return 0;
}

void matches_slot_close(void *)
{
}

void matches_run(void *opaque, const struct workload_item *item, struct workload_outcome *outcome)
{
    try {
        const std::regex &pattern = static_cast<const state *>(opaque)->pattern;
        const std::cregex_iterator first(item->bytes, item->bytes + item->bytes_len, pattern);
        outcome->value = static_cast<uint64_t>(std::distance(first, std::cregex_iterator()));
        outcome->flags = WORKLOAD_HAS_VALUE;
        outcome->checksum = 1 + outcome->value;
        outcome->ok = true;
    } catch (const std::exception &why) { /* the item is too long for the pattern */
        (void)std::snprintf(outcome->error, sizeof(outcome->error), "%s", why.what());
    }
}

const struct param_spec matches_params[] = {
    {.name = "pattern",
     .kind = PARAM_TEXT,
     .unit = "REGEX",
     .default_value = "[a-z]+",
     .help = "an ECMAScript regular expression"},
};

const struct workload_ops matches_ops = {
    WORKLOAD_ABI,
    .name = "matches",
    .summary = "counts the matches of a regular expression in an item",
    .traits = WORKLOAD_IDEMPOTENT | WORKLOAD_BYTES,
    .params = matches_params,
    .param_count = std::size(matches_params),
    .open = matches_open,
    .close = matches_close,
    .slot_open = matches_slot_open,
    .slot_close = matches_slot_close,
    .run = matches_run,
};

} // namespace

WORKLOAD_PLUGIN(matches_ops)
