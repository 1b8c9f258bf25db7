#include "common/doctor/doctor.h"

#include "common/doctor/diagnose.h"
#include "common/doctor/look.h"
#include "common/doctor/report.h"
#include "common/doctor/talk.h"
#include "common/io/access.h"
#include "common/io/clock.h"
#include "common/io/cores.h"
#include "common/io/descriptors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_S = 60, LOAD_MAX_BYTES = 8 * 1024 * 1024, WIDTH = 100, US_PER_S = 1000 * 1000 };

/* --- options --- */

void doctor_options_init(struct doctor_options *options, const char *program)
{
    *options = (struct doctor_options){
        .program = program,
        .timeout_s = TIMEOUT_S,
        .load_max_bytes = LOAD_MAX_BYTES,
        .print = {.width = WIDTH},
    };
}

void doctor_add_options(struct cli_table *table, struct doctor_options *options)
{
    const struct cli_option list[] = {
        {.name = "json",
         .kind = CLI_TEXT,
         .value = "FILE",
         .target = &options->json,
         .help = "write what was found as JSON, schema quartet.doctor/1, too; '-' is standard "
                 "output, in place of the text"},
        {.name = "timeout",
         .kind = CLI_SECONDS,
         .value = "SECONDS",
         .target = &options->timeout_s,
         .min = 1,
         .max = 3600,
         .default_text = "60",
         .help = "be done after so long, whatever is left to be looked at"},
        {.name = "load",
         .kind = CLI_COUNT,
         .value = "BYTES",
         .target = &options->load_max_bytes,
         .max = 16 * 1024 * 1024,
         .default_text = "8388608",
         .help = "most bytes to send each way at a time to measure the bandwidth; 0: do not"},
    };
    cli_table_add(table, list, sizeof(list) / sizeof(list[0]));
}

int doctor_check(const struct doctor_options *options, bool insecure, struct err_text *ret_error)
{
    const char *endpoint = options->connect;
    if ((endpoint == NULL) == (options->access == NULL)) {
        return err_set(
            ret_error,
            ERR_INVALID,
            "%s",
            endpoint == NULL
                ? "--access FILE or --connect ENDPOINT is missing: where does the coordinator "
                  "listen?"
                : "--access says where to connect, and so does --connect: give one of them");
    }
    if (endpoint == NULL) {
        return 0;
    }
    if (!zsock_endpoint_has_form(endpoint)) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "'%.200s' is not an endpoint such as tcp://HOST:5555 or ipc:///run/quartet",
                       endpoint);
    }
    if (!insecure && !zsock_endpoint_is_local(endpoint)) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "a worker would not connect to '%.200s' without keys: it is on another "
                       "machine; use the "
                       "coordinator's access file (--access FILE), or --insecure",
                       endpoint);
    }
    return 0;
}

/* --- showing --- */

void doctor_say(const struct doctor_options *options,
                const struct findings *findings,
                size_t first,
                const char *conclusion)
{
    if (options->json != NULL && strcmp(options->json, "-") == 0) {
        return;
    }
    print_findings(stdout, &options->print, findings, first);
    (void)printf("%s\n", conclusion);
    (void)fflush(stdout);
}

int doctor_finish(const struct doctor_options *options, json_t *report, enum health worst)
{
    struct err_text error = {{0}};
    if (options->json == NULL) {
        json_decref(report);
    } else if (report_write(report, options->json, &error) != 0) {
        (void)fprintf(stderr, "%s: %s\n", options->program, error.s);
        return DOCTOR_CANNOT_LOOK;
    }
    return worst == HEALTH_FAIL ? DOCTOR_ILL : DOCTOR_WELL;
}

void doctor_look_here(bool coordinator, struct findings *findings)
{
    struct seen_host here = {.cores_usable = cores_usable(), .cores_online = cores_online()};
    here.files_left = descriptors_left(&here.files_max);
    diagnose_host(&here, coordinator, findings);
}

/* --- looking --- */

/* What one visit has in hand. */
struct visit {
    const struct doctor_options *options;
    struct findings findings;
    struct access access; /* without keys only its endpoint counts */
    struct zsock_context *context;
    uint64_t end_us;
    size_t reached; /* endpoints that nothing is wrong with */
};

/* False: it cannot be used, and that is noted. */
static bool read_access(struct visit *visit)
{
    const struct doctor_options *options = visit->options;
    struct err_text error = {{0}};
    if (options->access == NULL) {
        access_add_endpoint(&visit->access, options->connect);
        return true;
    }
    if (access_read(options->access, options->one_line, &error, &visit->access) != 0) {
        struct finding *finding = findings_add(
            &visit->findings, HEALTH_FAIL, "access", "%s", error.s);
        finding_advise(finding,
                       "the coordinator writes it ('quartet run --keys DIR --listen ENDPOINT "
                       "--access FILE'); it is for "
                       "its owner alone (chmod 600)");
        return false;
    }
    (void)findings_add(&visit->findings,
                       HEALTH_OK,
                       "access",
                       "key of worker '%s', written by run %s, %zu address%s",
                       visit->access.name,
                       visit->access.run,
                       visit->access.endpoint_count,
                       visit->access.endpoint_count == 1 ? "" : "es");
    return true;
}

static int visit_endpoint(struct visit *visit, const char *endpoint, struct err_text *ret_error)
{
    bool keys = visit->options->access != NULL;
    const struct zsock_keys pair = {.own = &visit->access.pair,
                                    .server_key = visit->access.server_key};
    const struct look_options options = {
        .context = visit->context,
        .keys = keys ? &pair : NULL,
        .key_name = visit->access.name,
        /* One measurement is enough. */
        .load_max_bytes = visit->reached == 0 ? visit->options->load_max_bytes : 0,
        .end_us = visit->end_us,
    };
    struct seen *seen = malloc(sizeof(*seen));
    if (seen == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory");
    }
    size_t first = visit->findings.count;
    visit->findings.subject = endpoint;
    int rc = look(&options, endpoint, ret_error, seen);
    if (rc == 0) {
        diagnose_endpoint(seen, &visit->findings);
        visit->reached += findings_worst(&visit->findings, first) != HEALTH_FAIL;
    }
    visit->findings.subject = "";
    free(seen);
    return rc;
}

/* Where a worker gets through at one address it works: the others only cost it time. */
static void excuse_others(struct visit *visit, size_t first)
{
    if (visit->reached > 0) {
        findings_excuse(&visit->findings,
                        first,
                        visit->findings.count,
                        "a worker goes on to the next address, after half a second or more at each "
                        "start: --advertise names the one that works first");
    }
}

static int visit_all(struct visit *visit, struct err_text *ret_error)
{
    size_t first = visit->findings.count;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < visit->access.endpoint_count; i++) {
        if (clock_now_us() >= visit->end_us) {
            struct finding *finding = findings_add(&visit->findings,
                                                   visit->reached > 0 ? HEALTH_WARN : HEALTH_FAIL,
                                                   "time",
                                                   "no time was left for %zu of %zu addresses",
                                                   visit->access.endpoint_count - i,
                                                   visit->access.endpoint_count);
            finding_advise(finding, "give more: --timeout SECONDS");
            break;
        }
        rc = visit_endpoint(visit, visit->access.endpoints[i], ret_error);
    }
    excuse_others(visit, first);
    return rc;
}

static int look_around(struct visit *visit, struct err_text *ret_error)
{
    doctor_look_here(false, &visit->findings);
    if (!read_access(visit)) {
        return 0;
    }
    int rc = zsock_context_new(ret_error, &visit->context);
    rc = rc != 0 ? rc : visit_all(visit, ret_error);
    zsock_context_free(visit->context);
    return rc;
}

static const char *conclusion_of(const struct visit *visit)
{
    switch (findings_worst(&visit->findings, 0)) {
    case HEALTH_OK:
        return "all is well: a worker on this host gets through to the coordinator";
    case HEALTH_WARN:
        return "a worker on this host gets through to the coordinator; mind the warnings";
    case HEALTH_FAIL:
        break;
    }
    return visit->reached > 0 ? "a worker gets through, and would not do well here: see FAIL"
                              : "a worker on this host does not get through: see FAIL";
}

int doctor_run(const struct doctor_options *options)
{
    struct visit *visit = calloc(1, sizeof(*visit));
    struct err_text error = {{0}};
    int status = DOCTOR_CANNOT_LOOK;
    if (visit == NULL || findings_init(&visit->findings, FINDINGS_MAX) != 0) {
        (void)fprintf(stderr, "%s: no memory\n", options->program);
        free(visit);
        return status;
    }
    visit->options = options;
    visit->end_us = clock_now_us() + (uint64_t)(options->timeout_s * US_PER_S);
    if (look_around(visit, &error) != 0) {
        (void)fprintf(stderr, "%s: %s\n", options->program, error.s);
    } else {
        doctor_say(options, &visit->findings, 0, conclusion_of(visit));
        status = doctor_finish(
            options, report_of("worker", &visit->findings), findings_worst(&visit->findings, 0));
    }
    access_wipe(&visit->access);
    findings_deinit(&visit->findings);
    free(visit);
    return status;
}
