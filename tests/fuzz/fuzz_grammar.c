/* Any text at all where people write small things: numbers, durations, sizes, ranges, conditions to stop, parameters, endpoints.
 * The first byte chooses which. What is refused leaves the output alone and has a reason; what is taken is within its bounds, and
 * where there is a way to write it again, that reads the same. */
#include "common/base/check.h"
#include "common/base/units.h"
#include "common/io/zsock.h"
#include "coordinator/runner/halt.h"
#include "coordinator/runner/source.h"
#include "worker/workloads/params.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { TEXT_MAX = 4096, SPECS = 6 };

static const uint64_t untouched = UINT64_C(0x5555555555555555);

static void try_number(const char *text)
{
    char again[UNITS_TEXT_SIZE];
    uint64_t value = untouched;
    if (units_parse_u64(text, UINT64_MAX, &value) != 0) {
        CHECK(value == untouched);
        return;
    }
    (void)snprintf(again, sizeof(again), "%" PRIu64, value);
    uint64_t same = 0;
    CHECK(units_parse_u64(again, UINT64_MAX, &same) == 0 && same == value);
    CHECK(value == 0 || units_parse_u64(text, value - 1, &same) != 0);
}

static void try_seconds(const char *text)
{
    char line[UNITS_TEXT_SIZE];
    double seconds = -1;
    if (units_parse_seconds(text, 1e6, &seconds) != 0) {
        CHECK(seconds == -1);
        return;
    }
    CHECK(isfinite(seconds) && seconds >= 0 && seconds <= 1e6);
    CHECK(strlen(units_format_seconds(seconds, line)) < UNITS_TEXT_SIZE);
}

static void try_bytes(const char *text)
{
    char line[UNITS_TEXT_SIZE];
    uint64_t value = untouched;
    if (units_parse_bytes(text, UINT64_C(1) << 40, &value) != 0) {
        CHECK(value == untouched);
        return;
    }
    CHECK(value <= UINT64_C(1) << 40);
    CHECK(strlen(units_format_bytes(value, line)) < UNITS_TEXT_SIZE);
}

static void try_range(const char *text)
{
    char again[64];
    struct err_text error = {""};
    struct items_spec spec = {.fd = -1};
    struct items_spec same = {.fd = -1};
    if (items_parse_range(text, &spec, &error) != 0) {
        CHECK(error.s[0] != '\0' && !spec.is_range);
        return;
    }
    CHECK(spec.is_range && spec.range_first <= spec.range_last);
    CHECK(spec.range_last - spec.range_first < UINT64_MAX); /* one more is their number */
    (void)snprintf(again, sizeof(again), "%" PRIu64 ":%" PRIu64, spec.range_first, spec.range_last);
    CHECK(items_parse_range(again, &same, &error) == 0);
    CHECK(same.range_first == spec.range_first && same.range_last == spec.range_last);
}

static void try_halt(const char *text)
{
    struct err_text error = {""};
    struct halt halt = {.count = untouched};
    if (halt_parse(text, &halt, &error) != 0) {
        CHECK(error.s[0] != '\0' && halt.count == untouched);
        return;
    }
    CHECK(halt.when <= HALT_NOW && halt.why <= HALT_DONE);
    CHECK(halt.percent >= 0 && halt.percent <= 100);
    CHECK(halt.when == HALT_NEVER || halt.count > 0 || halt.percent > 0);
    /* Nothing has happened: go on. All has: whoever waits for it stops. */
    CHECK(halt_check(&halt, 0, 0, 0) == HALT_NEVER);
    CHECK(halt_check(&halt, UINT64_MAX / 2, UINT64_MAX / 2, UINT64_MAX - 1) <= HALT_NOW);
}

static void try_params(const char *text)
{
    static const struct param_spec specs[SPECS] = {
        {.name = "delay", .kind = PARAM_SECONDS, .default_value = "0.1", .max = 1e6},
        {.name = "count", .kind = PARAM_COUNT, .default_value = "3", .max = 1e9},
        {.name = "size", .kind = PARAM_BYTES, .default_value = "4Ki", .max = 1e12},
        {.name = "url", .kind = PARAM_URL, .default_value = "http://localhost/"},
        {.name = "version", .kind = PARAM_CHOICE, .default_value = "2", .choices = "1.1|2"},
        {.name = "text", .kind = PARAM_TEXT, .default_value = ""},
    };
    struct err_text error = {""};
    struct params params = {.count = 0};
    struct params copy = {.count = 0};
    if (params_set_text(&params, text, &error) != 0) {
        CHECK(error.s[0] != '\0' && params.count == 0);
    } else if (params_resolve(&params, specs, SPECS, &error) != 0) {
        CHECK(error.s[0] != '\0');
    } else {
        CHECK(params.count == SPECS && params_seconds(&params, "delay") >= 0);
        (void)params_count(&params, "count");
        (void)params_bytes(&params, "size");
        CHECK(strncasecmp(params_get(&params, "url"), "http", 4) == 0);
        CHECK(params_copy(&copy, &params) == 0 && copy.count == params.count);
    }
    params_deinit(&copy);
    params_deinit(&params);
}

/* Whoever can be reached from elsewhere must not pass for local. */
static void try_endpoint(const char *text)
{
    bool tcp = strncmp(text, "tcp://", 6) == 0;
    if (tcp && zsock_endpoint_has_form(text) && zsock_endpoint_is_local(text)) {
        CHECK(strncmp(text + 6, "127.", 4) == 0 || strncmp(text + 6, "localhost:", 10) == 0 ||
              text[6] == '[');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static void (*const tries[])(const char *text) = {
        try_number, try_seconds, try_bytes, try_range, try_halt, try_params, try_endpoint};
    char text[TEXT_MAX];
    if (len == 0 || len > sizeof(text)) {
        return 0;
    }
    memcpy(text, bytes + 1, len - 1);
    text[len - 1] = '\0';
    tries[bytes[0] % (sizeof(tries) / sizeof(tries[0]))](text);
    return 0;
}
