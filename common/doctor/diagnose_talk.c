/* What a coordinator that answers is like from here: see diagnose.h. */
#include "common/base/units.h"
#include "common/doctor/diagnose.h"
#include "common/wire/wire.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { FILES_SCARCE = 64 };

/* --- version --- */

static void say_version(const struct seen *seen, struct findings *findings)
{
    const struct seen_coordinator *there = &seen->coordinator;
    bool same = there->protocol_minor == WIRE_PROTOCOL_MINOR;
    (void)findings_add(findings,
                       HEALTH_OK,
                       "protocol",
                       "%d.%d here and %" PRIu32 ".%" PRIu32 " on %s (quartet %s)%s",
                       WIRE_PROTOCOL_MAJOR,
                       WIRE_PROTOCOL_MINOR,
                       there->protocol_major,
                       there->protocol_minor,
                       there->host,
                       there->build,
                       same ? "" : ": what both know is used");
}

static void say_other_version(const struct seen *seen, struct findings *findings)
{
    const struct seen_coordinator *there = &seen->coordinator;
    struct finding *finding = findings_add(findings,
                                           HEALTH_FAIL,
                                           "protocol",
                                           "%d.%d here, and %" PRIu32 ".%" PRIu32
                                           " on %s (quartet %s): they do not understand each other",
                                           WIRE_PROTOCOL_MAJOR,
                                           WIRE_PROTOCOL_MINOR,
                                           there->protocol_major,
                                           there->protocol_minor,
                                           there->host,
                                           there->build);
    finding_advise(finding, "install the same version of quartet on both");
}

static void say_too_old(struct findings *findings)
{
    struct finding *finding = findings_add(
        findings,
        HEALTH_WARN,
        "protocol",
        "the coordinator is let in on nothing more: its quartet, of protocol 1.2 or before, "
        "does not know doctors");
    finding_advise(finding,
                   "workers can work for it; for the rest of this, install the same version of "
                   "quartet on both");
}

static void say_silence(struct findings *findings)
{
    struct finding *finding = findings_add(
        findings,
        HEALTH_FAIL,
        "protocol",
        "the handshake is done, and then no question is answered");
    finding_advise(finding,
                   "the coordinator is stopped or starved, or something between does not pass long "
                   "packets (a wrong "
                   "MTU: 'ping -M do -s 1400' shows)");
}

bool diagnose_protocol(const struct seen *seen, struct findings *findings)
{
    struct finding *finding;
    switch (seen->talk) {
    case TALK_ANSWERED:
        say_version(seen, findings);
        return true;
    case TALK_OTHER_VERSION:
        say_other_version(seen, findings);
        return false;
    case TALK_TOO_OLD:
        say_too_old(findings);
        return false;
    case TALK_REJECTED:
        finding = findings_add(
            findings, HEALTH_FAIL, "protocol", "the coordinator refuses: %s", seen->words);
        finding_advise(finding, "it says so to workers, too: see there");
        return false;
    case TALK_KEY_REFUSED:
        diagnose_key_refused(seen, findings);
        return false;
    case TALK_GARBLED:
        finding = findings_add(
            findings, HEALTH_FAIL, "protocol", "what it says is not quartet's: %s", seen->words);
        finding_advise(finding,
                       "another program that uses ZeroMQ has that port, or a very different "
                       "version of quartet");
        return false;
    case TALK_NONE:
    case TALK_SILENCE:
        break;
    }
    say_silence(findings);
    return false;
}

/* --- times --- */

bool diagnose_round_trip(const struct seen *seen, struct findings *findings)
{
    char least[UNITS_TEXT_SIZE];
    char median[UNITS_TEXT_SIZE];
    if (seen->echoes.count == 0) {
        return true;
    }
    double least_s = (double)echoes_least_us(&seen->echoes) / 1e6;
    double median_s = (double)echoes_median_us(&seen->echoes) / 1e6;
    struct finding *finding = findings_add(findings,
                                           HEALTH_OK,
                                           "round trip",
                                           "%s, and %s at least, of %zu",
                                           units_format_seconds(median_s, median),
                                           units_format_seconds(least_s, least),
                                           seen->echoes.count);
    finding_measure(finding, "median_s", median_s);
    finding_measure(finding, "least_s", least_s);
    return true;
}

bool diagnose_clock(const struct seen *seen, struct findings *findings)
{
    const double tolerated_s = 1;
    char offset[UNITS_TEXT_SIZE];
    char error[UNITS_TEXT_SIZE];
    if (seen->echoes.count == 0) {
        return true;
    }
    double offset_s = (double)seen->echoes.offset_us / 1e6;
    double error_s = (double)seen->echoes.offset_error_us / 1e6;
    bool wrong = fabs(offset_s) - error_s > tolerated_s;
    bool alike = fabs(offset_s) <= error_s;
    struct finding *finding = findings_add(findings,
                                           wrong ? HEALTH_WARN : HEALTH_OK,
                                           "clock",
                                           "the coordinator's is %s%s, give or take %s",
                                           alike ? "the same"
                                                 : units_format_seconds(fabs(offset_s), offset),
                                           alike          ? ""
                                           : offset_s < 0 ? " behind"
                                                          : " ahead",
                                           units_format_seconds(error_s, error));
    finding_measure(finding, "offset_s", offset_s);
    finding_measure(finding, "error_s", error_s);
    if (wrong) {
        finding_advise(finding,
                       "quartet does not mind; times in job logs and notes of the two will not fit "
                       "together: have both "
                       "set theirs from the network (chrony, systemd-timesyncd)");
    }
    return true;
}

/* --- bandwidth --- */

/* "94.1 Mbit/s", as networks are measured. */
static char *format_rate(const struct seen_load *load, char *ret_text, size_t size)
{
    double bits = load->bytes_per_s * 8;
    if (load->bytes == 0) {
        (void)snprintf(ret_text, size, "not measured");
    } else if (bits < 1e6) {
        (void)snprintf(ret_text, size, "%.3g kbit/s", bits / 1e3);
    } else if (bits < 999.5e6) {
        (void)snprintf(ret_text, size, "%.3g Mbit/s", bits / 1e6);
    } else {
        (void)snprintf(ret_text, size, "%.3g Gbit/s", bits / 1e9);
    }
    return ret_text;
}

static bool is_slow(const struct seen_load *load)
{
    const double put_up_with_bytes_per_s =
        125000; /* what a long message is waited for: server_internal.h */
    return load->bytes > 0 && load->bytes_per_s < put_up_with_bytes_per_s;
}

bool diagnose_bandwidth(const struct seen *seen, struct findings *findings)
{
    char up[32];
    char down[32];
    if (!seen->load_wanted) {
        return true;
    }
    bool missing = seen->up.bytes == 0 || seen->down.bytes == 0;
    bool slow = is_slow(&seen->up) || is_slow(&seen->down);
    struct finding *finding = findings_add(findings,
                                           slow || missing ? HEALTH_WARN : HEALTH_OK,
                                           "bandwidth",
                                           "%s to the coordinator, %s from it",
                                           format_rate(&seen->up, up, sizeof(up)),
                                           format_rate(&seen->down, down, sizeof(down)));
    if (seen->up.bytes > 0) {
        finding_measure(finding, "up_bytes_per_s", seen->up.bytes_per_s);
    }
    if (seen->down.bytes > 0) {
        finding_measure(finding, "down_bytes_per_s", seen->down.bytes_per_s);
    }
    if (slow) {
        finding_advise(
            finding,
            "a worker on less than 1 Mbit/s is given up during long messages: keep outputs small "
            "(--max-output), or run it nearer");
    } else if (missing) {
        finding_advise(finding,
                       "long packets get lost on the way (a wrong MTU: 'ping -M do -s 1400' "
                       "shows), there was not enough time "
                       "(--timeout), or the coordinator gives out no more to doctors just now");
    }
    return true;
}

/* --- room --- */

static void say_files(const struct seen_coordinator *there, struct findings *findings)
{
    char max[UNITS_TEXT_SIZE];
    char left[UNITS_TEXT_SIZE];
    bool scarce = there->files_left < FILES_SCARCE;
    struct finding *finding = findings_add(findings,
                                           scarce ? HEALTH_WARN : HEALTH_OK,
                                           "room",
                                           "the coordinator has %" PRIu32
                                           " workers%s, and may open %s more files of %s",
                                           there->workers,
                                           there->running ? " and a run going on" : "",
                                           units_format_exact(there->files_left, left),
                                           units_format_exact(there->files_max, max));
    finding_measure(finding, "workers", there->workers);
    finding_measure(finding, "files_left", (double)there->files_left);
    if (scarce) {
        finding_advise(finding,
                       "it will soon refuse workers: raise its limit of open files (ulimit -Hn, "
                       "LimitNOFILE= of a "
                       "service) where it is started");
    }
}

bool diagnose_room(const struct seen *seen, struct findings *findings)
{
    const struct seen_coordinator *there = &seen->coordinator;
    if (there->workers >= there->workers_max) {
        struct finding *finding = findings_add(findings,
                                               HEALTH_FAIL,
                                               "room",
                                               "the coordinator has %" PRIu32
                                               " workers and takes no more",
                                               there->workers);
        finding_advise(finding, "a worker is taken when another one leaves");
        return true;
    }
    say_files(there, findings);
    return true;
}
