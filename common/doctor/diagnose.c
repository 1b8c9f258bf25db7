#include "common/doctor/diagnose.h"

#include "common/base/units.h"

#include <inttypes.h>

enum { FILES_FEW = 256, FILES_NONE = 16 };

static void diagnose_files(const struct seen_host *host,
                           bool coordinator,
                           struct findings *findings)
{
    char max[UNITS_TEXT_SIZE];
    char left[UNITS_TEXT_SIZE];
    enum health health = host->files_left < FILES_NONE ? HEALTH_FAIL
                         : host->files_max < FILES_FEW ? HEALTH_WARN
                                                       : HEALTH_OK;
    struct finding *finding = findings_add(findings,
                                           health,
                                           "files",
                                           "%s may be open, %s more can be",
                                           units_format_exact(host->files_max, max),
                                           units_format_exact(host->files_left, left));
    finding_measure(finding, "max", (double)host->files_max);
    if (health != HEALTH_OK) {
        finding_advise(
            finding,
            coordinator
                ? "each worker takes one: raise the hard limit where the coordinator is "
                  "started (ulimit -Hn, LimitNOFILE= of a service)"
                : "each program and each download that runs takes some: raise the hard limit "
                  "where the worker is started (ulimit -Hn, LimitNOFILE= of a service)");
    }
}

static void diagnose_cores(const struct seen_host *host, struct findings *findings)
{
    bool all = host->cores_usable >= host->cores_online;
    struct finding *finding = findings_add(findings,
                                           HEALTH_OK,
                                           "cores",
                                           "%" PRIu32 " usable of %" PRIu32 "%s",
                                           host->cores_usable,
                                           host->cores_online,
                                           all ? ""
                                               : " (what is allowed by affinity and CPU quota)");
    finding_measure(finding, "usable", host->cores_usable);
    finding_measure(finding, "online", host->cores_online);
}

void diagnose_host(const struct seen_host *host, bool coordinator, struct findings *findings)
{
    diagnose_files(host, coordinator, findings);
    diagnose_cores(host, findings);
}

void diagnose_endpoint(const struct seen *seen, struct findings *findings)
{
    static bool (*const steps[])(const struct seen *seen, struct findings *findings) = {
        diagnose_form,
        diagnose_name,
        diagnose_route,
        diagnose_port,
        diagnose_answer,
        diagnose_handshake,
        diagnose_protocol,
        diagnose_round_trip,
        diagnose_clock,
        diagnose_bandwidth,
        diagnose_room,
    };
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (!steps[i](seen, findings)) {
            return;
        }
    }
}
