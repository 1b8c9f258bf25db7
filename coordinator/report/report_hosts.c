/* Where the workers were, in a line. */
#include "common/base/units.h"
#include "common/io/text.h"
#include "coordinator/report/report_parts.h"

#include <inttypes.h>
#include <string.h>

enum { NAMED_MAX = 8 }; /* hosts of which each is named; of more the JSON has them */

/* All on this machine: then there is no network to speak of, and the verdict says so. */
static bool is_only_here(const struct report *report)
{
    return report->host_count == 1 && strcmp(report->hosts[0].name, report->environment.host) == 0;
}

/* The nearest and the farthest of those whose round trip is known; NULL: none is. */
static void find_ends(const struct report *report,
                      const struct report_host **ret_near,
                      const struct report_host **ret_far)
{
    *ret_near = NULL;
    *ret_far = NULL;
    for (size_t i = 0; i < report->host_count; i++) {
        const struct report_host *host = &report->hosts[i];
        if (host->round_trip_s <= 0) {
            continue;
        }
        if (*ret_near == NULL || host->round_trip_s < (*ret_near)->round_trip_s) {
            *ret_near = host;
        }
        if (*ret_far == NULL || host->round_trip_s > (*ret_far)->round_trip_s) {
            *ret_far = host;
        }
    }
}

void report_hosts_line(const struct report *report, char *buf)
{
    const struct report_host *near = NULL;
    const struct report_host *far = NULL;
    char time[UNITS_TEXT_SIZE];
    uint32_t workers = 0;
    buf[0] = '\0';
    if (report->host_count == 0 || is_only_here(report)) {
        return;
    }
    for (size_t i = 0; i < report->host_count; i++) {
        workers += report->hosts[i].workers;
    }
    text_append(buf,
                REPORT_LINE_SIZE,
                "%" PRIu32 " on %zu host%s",
                workers,
                report->host_count,
                report->host_count == 1 ? "" : "s");
    find_ends(report, &near, &far);
    if (near == NULL) {
        return;
    }
    text_append(buf,
                REPORT_LINE_SIZE,
                "; round trip %s (%s)",
                units_format_seconds(near->round_trip_s, time),
                near->name);
    if (far != near) {
        text_append(buf,
                    REPORT_LINE_SIZE,
                    " to %s (%s)",
                    units_format_seconds(far->round_trip_s, time),
                    far->name);
    }
}

static void append_host(const struct report_host *host, uint64_t items, char *buf)
{
    char away[UNITS_TEXT_SIZE];
    text_append(buf,
                REPORT_LINE_SIZE,
                "%s%s: %" PRIu32 " core%s",
                buf[0] == '\0' ? "" : "; ",
                host->name,
                host->cores,
                host->cores == 1 ? "" : "s");
    if (host->round_trip_s > 0) {
        text_append(
            buf, REPORT_LINE_SIZE, ", %s away", units_format_seconds(host->round_trip_s, away));
    }
    if (items > 0) {
        text_append(buf,
                    REPORT_LINE_SIZE,
                    ", %.0f %% of the items",
                    100.0 * (double)host->items / (double)items);
    }
}

void report_each_host_line(const struct report *report, char *buf)
{
    uint64_t items = 0;
    buf[0] = '\0';
    if (report->host_count < 2 || report->host_count > NAMED_MAX) {
        return;
    }
    for (size_t i = 0; i < report->host_count; i++) {
        items += report->hosts[i].items;
    }
    for (size_t i = 0; i < report->host_count; i++) {
        append_host(&report->hosts[i], items, buf);
    }
}
