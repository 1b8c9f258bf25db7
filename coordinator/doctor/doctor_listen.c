#include "coordinator/doctor/doctor_listen.h"

#include "common/base/units.h"
#include "common/doctor/report.h"
#include "common/io/descriptors.h"
#include "common/io/zsock.h"
#include "coordinator/doctor/port_holder.h"
#include "coordinator/server/keyring.h"
#include "coordinator/server/server.h"
#include "coordinator/server/server_status.h"
#include "coordinator/session/reach.h"
#include "coordinator/session/stage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEARTBEAT_MS = 1000,
    NAMES_SHOWN = 6,
    FILES_OF_OUR_OWN = 64, /* about what a run has open itself */
    US_PER_S = 1000 * 1000,
};

struct listening {
    const struct options *options;
    const struct doctor_options *doctor;
    struct findings findings;
    struct stage stage;
    struct server *server; /* NULL: one cannot listen there */
};

/* --- who gets in --- */

static void list_names(const struct key_named *keys, size_t count, char *ret_text, size_t size)
{
    size_t len = 0;
    ret_text[0] = '\0';
    for (size_t i = 0; i < count && i < NAMES_SHOWN && len < size; i++) {
        int added = snprintf(ret_text + len, size - len, "%s%s", i == 0 ? "" : ", ", keys[i].name);
        len += added > 0 ? (size_t)added : 0;
    }
    if (count > NAMES_SHOWN && len < size) {
        (void)snprintf(ret_text + len, size - len, " and %zu more", count - NAMES_SHOWN);
    }
}

static void say_who_is_authorized(struct findings *findings,
                                  const char *directory,
                                  const struct key_named *keys,
                                  size_t count)
{
    char names[FINDING_TEXT_SIZE / 2];
    if (count > 0) {
        list_names(keys, count, names, sizeof(names));
        (void)findings_add(findings, HEALTH_OK, "keys", "whose workers may come: %s", names);
        return;
    }
    struct finding *finding = findings_add(findings,
                                           HEALTH_FAIL,
                                           "keys",
                                           "nobody may come: '%.100s/authorized' has no key",
                                           directory);
    finding_advise(finding, "'quartet keygen %.100s' makes one", directory);
}

/* False: there are none that one could listen with, and that is noted. */
static bool look_at_keys(struct listening *listening)
{
    const char *directory = listening->options->keys;
    struct findings *findings = &listening->findings;
    struct err_text error = {{0}};
    struct err_text trouble = {{0}};
    struct key_pair pair;
    struct key_named *keys = NULL;
    size_t count = 0;
    if (directory == NULL) {
        return true;
    }
    int rc = keyring_read(directory, &error, &pair);
    memset(&pair, 0, sizeof(pair)); /* only whether it can be read was asked */
    rc = rc != 0 ? rc : keyring_list(directory, &error, &trouble, &keys, &count);
    if (rc != 0) {
        struct finding *finding = findings_add(findings, HEALTH_FAIL, "keys", "%s", error.s);
        finding_advise(finding,
                       "'quartet keygen %.100s' makes what is missing; secrets are for this user "
                       "alone (chmod 600)",
                       directory);
        return false;
    }
    say_who_is_authorized(findings, directory, keys, count);
    free(keys);
    if (trouble.s[0] != '\0') {
        (void)findings_add(findings, HEALTH_WARN, "keys", "left out: %s", trouble.s);
    }
    return count > 0;
}

/* server_new has tried it, or would not be listening. */
static void say_of_strangers(struct listening *listening)
{
    if (server_public_key(listening->server) != NULL) {
        (void)findings_add(
            &listening->findings,
            HEALTH_OK,
            "strangers",
            "one without a key and one with an unknown key knocked and were refused");
    } else if (!zsock_endpoint_is_local(server_endpoint(listening->server))) {
        struct finding *finding = findings_add(
            &listening->findings,
            HEALTH_WARN,
            "strangers",
            "whoever reaches this gets in, and nothing is encrypted");
        finding_advise(finding, "'quartet keygen DIR', and --keys DIR --access FILE, end that");
    }
}

/* --- who reaches it --- */

static void say_it_is_taken(struct listening *listening, const char *why)
{
    char who[128];
    const char *endpoint = listening->options->listen;
    bool known = port_holder(reach_port(endpoint), who, sizeof(who));
    struct finding *finding = findings_add(&listening->findings,
                                           HEALTH_FAIL,
                                           "listen",
                                           "%s%s%s",
                                           why,
                                           known ? "; by " : "",
                                           known ? who : "");
    finding_advise(finding, "end that, or listen at another port ('*' takes one that is free)");
}

static void say_addresses(struct listening *listening, const struct access *access)
{
    struct findings *findings = &listening->findings;
    char list[FINDING_TEXT_SIZE / 2] = "";
    size_t far = 0;
    size_t len = 0;
    for (size_t i = 0; i < access->endpoint_count && len < sizeof(list); i++) {
        int added = snprintf(
            list + len, sizeof(list) - len, "%s%s", i == 0 ? "" : ", ", access->endpoints[i]);
        len += added > 0 ? (size_t)added : 0;
        far += !zsock_endpoint_is_local(access->endpoints[i]);
    }
    struct finding *finding = findings_add(findings,
                                           far > 0 ? HEALTH_OK : HEALTH_WARN,
                                           "addresses",
                                           "workers are told %s%s",
                                           list,
                                           far > 0 ? "" : ", which only this machine reaches");
    if (far == 0) {
        finding_advise(finding, "for other hosts: --listen 'tcp://*:PORT' --keys DIR");
    }
}

static int write_access(struct listening *listening, struct err_text *ret_error)
{
    const struct options *options = listening->options;
    struct access access = {.endpoint_count = 0};
    int rc = 0;
    if (options->keys != NULL) {
        rc = reach_fill_access(options, listening->server, ret_error, &access);
    } else {
        access_add_endpoint(&access, server_endpoint(listening->server));
    }
    if (rc == 0) {
        say_addresses(listening, &access);
    }
    if (rc == 0 && options->access != NULL) {
        rc = access_write(options->access, &access, ret_error);
    }
    access_wipe(&access);
    return rc;
}

/* --- how many --- */

static void say_room(struct listening *listening)
{
    char count[UNITS_TEXT_SIZE];
    uint64_t max = 0;
    uint64_t left = descriptors_left(&max);
    uint64_t workers = left > FILES_OF_OUR_OWN ? left - FILES_OF_OUR_OWN : 0;
    workers = workers < WORKERS_MAX ? workers : WORKERS_MAX;
    struct finding *finding = findings_add(
        &listening->findings,
        HEALTH_OK,
        "room",
        "for about %s workers, by the limit of open files and of what is taken at most",
        units_format_exact(workers, count));
    finding_measure(finding, "workers", (double)workers);
}

/* --- listening --- */

/* Returns 0 also when what failed is noted as a finding; ERR_INVALID: wrong usage, or ERR_NOMEM. */
static int open_server(struct listening *listening, struct err_text *ret_error)
{
    const struct options *options = listening->options;
    const struct server_options server = {
        .endpoint = options->listen,
        .keys = options->keys,
        .insecure = options->insecure,
        .heartbeat_ms = HEARTBEAT_MS,
        .workers_max = WORKERS_MAX,
    };
    int rc = server_new(&listening->stage, &server, ret_error, &listening->server);
    if (rc == 0 || rc == ERR_NOMEM || !zsock_endpoint_has_form(options->listen)) {
        return rc;
    }
    if (rc == ERR_BUSY) {
        say_it_is_taken(listening, ret_error->s);
    } else {
        (void)findings_add(&listening->findings, HEALTH_FAIL, "listen", "%s", ret_error->s);
    }
    return 0;
}

static int look_here(struct listening *listening, struct err_text *ret_error)
{
    doctor_look_here(true, &listening->findings);
    if (!look_at_keys(listening)) {
        return 0;
    }
    int rc = open_server(listening, ret_error);
    if (rc != 0 || listening->server == NULL) {
        return rc;
    }
    (void)findings_add(&listening->findings,
                       HEALTH_OK,
                       "listen",
                       "%s could be bound",
                       server_endpoint(listening->server));
    rc = write_access(listening, ret_error);
    say_of_strangers(listening);
    say_room(listening);
    return rc;
}

static void say_where(const struct listening *listening, double wait_s)
{
    const struct options *options = listening->options;
    char limit[UNITS_TEXT_SIZE];
    (void)fprintf(stderr,
                  "quartet doctor: listening on %s, %s%s; on the other host: quartet-worker "
                  "--doctor %s %s\n",
                  server_endpoint(listening->server),
                  wait_s > 0 ? "for " : "until Ctrl-C",
                  wait_s > 0 ? units_format_seconds(wait_s, limit) : "",
                  options->keys != NULL ? "--access" : "--connect",
                  options->access != NULL ? options->access
                  : options->keys != NULL ? "FILE"
                                          : server_endpoint(listening->server));
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static void say_who_came(struct listening *listening, double wait_s)
{
    uint64_t doctors = server_doctors(listening->server);
    uint64_t workers = server_registrations(listening->server);
    uint64_t refused = server_refusals(listening->server);
    bool none = doctors + workers == 0;
    struct finding *finding = findings_add(
        &listening->findings,
        !none                                                 ? HEALTH_OK
        : wait_s > 0 && !stage_interrupted(&listening->stage) ? HEALTH_FAIL
                                                              : HEALTH_WARN,
        "came",
        "%" PRIu64 " visits of doctors and %" PRIu64 " workers got through, %" PRIu64
        " connections were refused%s",
        doctors,
        workers,
        refused,
        refused > 0 ? " (why is said above)" : "");
    finding_measure(finding, "doctors", (double)doctors);
    finding_measure(finding, "workers", (double)workers);
    finding_measure(finding, "refused", (double)refused);
    if (none) {
        finding_advise(finding,
                       "'quartet-worker --doctor' on the other host says at which step it ends");
    }
}

static void listen_for(struct listening *listening, double wait_s)
{
    size_t first = listening->findings.count;
    uint64_t wait_us = wait_s > 0 ? (uint64_t)(wait_s * US_PER_S) : UINT64_MAX / 2;
    say_where(listening, wait_s);
    (void)stage_wait(&listening->stage, never, NULL, wait_us);
    say_who_came(listening, wait_s);
    doctor_say(listening->doctor,
               &listening->findings,
               first,
               "what was said to the others stands on standard error");
}

static int look_and_listen(struct listening *listening, double wait_s)
{
    struct err_text error = {{0}};
    int rc = look_here(listening, &error);
    if (rc != 0) {
        (void)fprintf(stderr, "quartet doctor: %s\n", error.s);
        return rc == ERR_INVALID || rc == ERR_NOT_FOUND ? DOCTOR_USAGE : DOCTOR_CANNOT_LOOK;
    }
    bool well = findings_worst(&listening->findings, 0) != HEALTH_FAIL;
    doctor_say(listening->doctor,
               &listening->findings,
               0,
               well ? "a coordinator can listen here"
                    : "a coordinator would not do here: see FAIL");
    if (well) {
        listen_for(listening, wait_s);
    }
    return doctor_finish(listening->doctor,
                         report_of("coordinator", &listening->findings),
                         findings_worst(&listening->findings, 0));
}

int doctor_listen(const struct options *options, double wait_s, const struct doctor_options *doctor)
{
    struct listening *listening = calloc(1, sizeof(*listening));
    struct err_text error = {{0}};
    int status = DOCTOR_CANNOT_LOOK;
    if (listening == NULL || findings_init(&listening->findings, FINDINGS_MAX) != 0) {
        (void)fputs("quartet doctor: no memory\n", stderr);
        free(listening);
        return status;
    }
    listening->options = options;
    listening->doctor = doctor;
    if (stage_init(&listening->stage, NULL, &error) != 0) {
        (void)fprintf(stderr, "quartet doctor: %s\n", error.s);
    } else {
        status = look_and_listen(listening, wait_s);
        server_free(listening->server);
        stage_deinit(&listening->stage);
    }
    findings_deinit(&listening->findings);
    free(listening);
    return status;
}
