#include "coordinator/doctor/doctor_hosts.h"

#include "common/doctor/report.h"
#include "coordinator/launch/launch.h"
#include "coordinator/server/server.h"
#include "coordinator/session/reach.h"
#include "coordinator/session/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HEARTBEAT_MS = 1000,
    REPORT_MAX = 1024 * 1024, /* bytes of what one host says */
    REPORT_FIRST = 8 * 1024,
    TIMEOUT_THERE_MAX_S = 40,   /* of a doctor there */
    LOAD_OF_MANY = 1024 * 1024, /* several measure at once, over one link of ours */
    GRACE_MS = 500,
    US_PER_S = 1000 * 1000,
};

/* What one host says. */
struct place {
    char *text;
    size_t len;
    size_t size;
    json_t *report; /* NULL: none that can be read */
};

struct hosts_doctor {
    const struct options *options;
    const struct doctor_options *doctor;
    struct stage stage;
    struct server *server;
    struct launch *launch;
    struct launch_tunnel tunnel; /* of --tunnel: its end here */
    struct place *places;        /* one for each of options->hosts */
    struct findings findings;    /* one for each host, in their order */
    char told[LAUNCH_ENDPOINT_SIZE];
    bool closing;
};

/* --- what the launcher asks for --- */

static char *give_key(void *arg, const char *name, const char *endpoint, struct err_text *ret_error)
{
    struct hosts_doctor *hosts = arg;
    return reach_grant_line(hosts->server, name, endpoint, ret_error);
}

static void take_key_back(void *arg, const char *name)
{
    struct hosts_doctor *hosts = arg;
    if (!hosts->closing) {
        server_dismiss(hosts->server, name);
    }
}

static void given_up(void *arg, size_t index)
{
    (void)arg;
    (void)index; /* whether all have ended is asked each turn */
}

/* Its report, line by line. What does not fit is left out, and then no JSON any more. */
static void heard(void *arg, size_t index, const char *line)
{
    struct hosts_doctor *hosts = arg;
    struct place *place = &hosts->places[index];
    size_t len = strlen(line) + 1;
    if (place->len + len > place->size) {
        size_t size = place->size == 0 ? REPORT_FIRST : 2 * place->size;
        char *text = size <= REPORT_MAX ? realloc(place->text, size) : NULL;
        if (text == NULL) {
            return;
        }
        place->text = text;
        place->size = size;
    }
    memcpy(place->text + place->len, line, len - 1);
    place->text[place->len + len - 1] = '\n';
    place->len += len;
}

/* --- going there --- */

static int open_server(struct hosts_doctor *hosts, struct err_text *ret_error)
{
    const struct options *options = hosts->options;
    const struct server_options server = {
        .endpoint = options->listen != NULL ? options->listen
                    : options->tunnel       ? "tcp://127.0.0.1:*"
                                            : "tcp://*:*",
        .keys = options->keys,
        .run_keys = options->keys == NULL && !options->insecure,
        .insecure = options->insecure,
        .heartbeat_ms = HEARTBEAT_MS,
        .workers_max = WORKERS_MAX,
        .quiet = true, /* of each doctor its own words are shown */
    };
    int rc = server_new(&hosts->stage, &server, ret_error, &hosts->server);
    if (rc == 0) {
        reach_told(options, server_endpoint(hosts->server), hosts->told);
    }
    return rc;
}

static bool all_have_ended(void *arg)
{
    const struct hosts_doctor *hosts = arg;
    return hosts->launch->ops->coming(hosts->launch) == 0;
}

/* `arguments` outlive the launch. */
static int visit_all(struct hosts_doctor *hosts,
                     const char *const *arguments,
                     struct err_text *ret_error)
{
    const struct options *options = hosts->options;
    if (options->tunnel && launch_tunnel_to(server_endpoint(hosts->server), &hosts->tunnel) != 0) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--tunnel cannot lead to %.200s",
                       server_endpoint(hosts->server));
    }
    const struct launch_options launch = {
        .hosts = &options->hosts,
        .command = options->ssh,
        .worker_path = options->remote_path,
        .bundle = options->bundle,
        .tunnel = options->tunnel ? &hosts->tunnel : NULL,
        .endpoint = hosts->told[0] != '\0' ? hosts->told : NULL,
        .port = reach_port(server_endpoint(hosts->server)),
        .insecure = options->insecure,
        .grant = server_public_key(hosts->server) != NULL ? give_key : NULL,
        .revoke = take_key_back,
        .given_up = given_up,
        .arguments = arguments,
        .heard = heard,
        .arg = hosts,
    };
    int rc = launch_ssh_ops.open(&hosts->stage, &launch, ret_error, &hosts->launch);
    if (rc == 0) {
        hosts->launch->ops->start(hosts->launch);
        (void)stage_wait(
            &hosts->stage, all_have_ended, hosts, (uint64_t)(hosts->doctor->timeout_s * US_PER_S));
    }
    return rc;
}

static int visit(struct hosts_doctor *hosts, struct err_text *ret_error)
{
    char timeout[16];
    char load[24];
    double there_s = hosts->doctor->timeout_s / 2;
    uint64_t load_max = hosts->doctor->load_max_bytes;
    load_max = hosts->options->hosts.count > 1 && load_max > LOAD_OF_MANY ? LOAD_OF_MANY : load_max;
    there_s = there_s < 1 ? 1 : there_s < TIMEOUT_THERE_MAX_S ? there_s : TIMEOUT_THERE_MAX_S;
    (void)snprintf(timeout, sizeof(timeout), "%.1f", there_s);
    (void)snprintf(load, sizeof(load), "%llu", (unsigned long long)load_max);
    const char *arguments[] = {"--doctor",
                               "--end-with-stdin",
                               "--json",
                               "-",
                               "--timeout",
                               timeout,
                               "--load",
                               load,
                               hosts->options->insecure ? "--insecure" : NULL,
                               NULL};
    return visit_all(hosts, arguments, ret_error);
}

/* --- what they said --- */

static const struct finding *find(const struct findings *findings, const char *check)
{
    for (size_t i = 0; i < findings->count; i++) {
        if (strcmp(findings->list[i].check, check) == 0) {
            return &findings->list[i];
        }
    }
    return NULL;
}

static const struct finding *find_worst(const struct findings *findings, enum health worst)
{
    for (size_t i = 0; i < findings->count; i++) {
        if (findings->list[i].health == worst) {
            return &findings->list[i];
        }
    }
    return NULL;
}

/* One line for a host: what is wrong, or how far away it is. */
static void sum_up(struct hosts_doctor *hosts, const char *name, const struct findings *there)
{
    enum health worst = findings_worst(there, 0);
    const struct finding *sick = find_worst(there, worst);
    if (worst == HEALTH_OK || sick == NULL) {
        const struct finding *round_trip = find(there, "round trip");
        const struct finding *bandwidth = find(there, "bandwidth");
        (void)findings_add(&hosts->findings,
                           worst,
                           name,
                           "%s%s%s%s",
                           round_trip == NULL ? "all is well" : "round trip ",
                           round_trip == NULL ? "" : round_trip->text,
                           bandwidth == NULL ? "" : "; ",
                           bandwidth == NULL ? "" : bandwidth->text);
        return;
    }
    struct finding *finding = findings_add(
        &hosts->findings, worst, name, "%s: %s", sick->check, sick->text);
    finding_advise(finding, "%s", sick->advice);
}

/* No doctor spoke there: why, the launcher knows. */
static void say_why_not(struct hosts_doctor *hosts, size_t index)
{
    struct launch_view view;
    const struct place *place = &hosts->places[index];
    hosts->launch->ops->view(hosts->launch, index, &view);
    if (place->len > 0) {
        (void)findings_add(
            &hosts->findings,
            HEALTH_FAIL,
            hosts->options->hosts.list[index].name,
            "what its doctor said cannot be read: is that the same version of quartet? (%.200s)",
            view.words);
        return;
    }
    (void)findings_add(&hosts->findings,
                       HEALTH_FAIL,
                       hosts->options->hosts.list[index].name,
                       "%s%s",
                       view.given_up ? "" : "there was no time left: ",
                       view.words);
}

/* Its lines, below the table: only of those where something is to be changed. */
static void show_details(const struct hosts_doctor *hosts,
                         size_t index,
                         const struct findings *there)
{
    const struct doctor_options *doctor = hosts->doctor;
    bool only_json = doctor->json != NULL && strcmp(doctor->json, "-") == 0;
    if (only_json || findings_worst(there, 0) == HEALTH_OK) {
        return;
    }
    (void)printf("on %s:\n", hosts->options->hosts.list[index].name);
    print_findings(stdout, &doctor->print, there, 0);
}

static int read_place(struct hosts_doctor *hosts, size_t index)
{
    struct place *place = &hosts->places[index];
    struct findings there;
    json_error_t error;
    if (findings_init(&there, FINDINGS_MAX) != 0) {
        return ERR_NOMEM;
    }
    place->report = json_loadb(place->text, place->len, 0, &error);
    if (place->report != NULL && report_read(place->report, &there) == 0) {
        sum_up(hosts, hosts->options->hosts.list[index].name, &there);
        show_details(hosts, index, &there);
    } else {
        json_decref(place->report);
        place->report = NULL;
        say_why_not(hosts, index);
    }
    findings_deinit(&there);
    return 0;
}

static json_t *host_json(const struct hosts_doctor *hosts, size_t index)
{
    const struct finding *finding = &hosts->findings.list[index];
    json_t *report = hosts->places[index].report;
    return json_pack("{s:o, s:s, s:o, s:o, s:O}",
                     "host",
                     report_text(hosts->options->hosts.list[index].name),
                     "health",
                     health_name(finding->health),
                     "text",
                     report_text(finding->text),
                     "advice",
                     report_text(finding->advice),
                     "report",
                     report != NULL ? report : json_null());
}

static json_t *report_json(const struct hosts_doctor *hosts)
{
    json_t *report = report_of("hosts", &hosts->findings);
    json_t *list = json_array();
    for (size_t i = 0; i < hosts->findings.count; i++) {
        (void)json_array_append_new(list, host_json(hosts, i));
    }
    if (report == NULL || json_array_size(list) != hosts->findings.count ||
        json_object_set_new(report, "hosts", list) != 0) {
        json_decref(report);
        return NULL;
    }
    return report;
}

static int show(struct hosts_doctor *hosts)
{
    char conclusion[LAUNCH_ENDPOINT_SIZE + 96];
    size_t well = 0;
    size_t count = hosts->options->hosts.count;
    for (size_t i = 0; i < count; i++) {
        if (read_place(hosts, i) != 0) {
            (void)fputs("quartet doctor: no memory\n", stderr);
            return DOCTOR_CANNOT_LOOK;
        }
    }
    for (size_t i = 0; i < hosts->findings.count; i++) {
        well += hosts->findings.list[i].health != HEALTH_FAIL;
    }
    (void)snprintf(conclusion,
                   sizeof(conclusion),
                   "%zu of %zu hosts get through to %s",
                   well,
                   count,
                   hosts->told[0] != '\0' ? hosts->told : "this one");
    doctor_say(hosts->doctor, &hosts->findings, 0, conclusion);
    return doctor_finish(hosts->doctor, report_json(hosts), findings_worst(&hosts->findings, 0));
}

/* --- life --- */

static int go(struct hosts_doctor *hosts)
{
    struct err_text error = {{0}};
    int rc = open_server(hosts, &error);
    rc = rc != 0 ? rc : visit(hosts, &error);
    if (rc != 0) {
        (void)fprintf(stderr, "quartet doctor: %s\n", error.s);
        return rc == ERR_INVALID ? DOCTOR_USAGE : DOCTOR_CANNOT_LOOK;
    }
    return stage_interrupted(&hosts->stage) ? 128 + hosts->stage.signal : show(hosts);
}

static void close_all(struct hosts_doctor *hosts)
{
    hosts->closing = true;
    server_free(hosts->server);
    if (hosts->launch != NULL) {
        hosts->launch->ops->close(hosts->launch, GRACE_MS);
    }
    stage_deinit(&hosts->stage);
}

static void free_all(struct hosts_doctor *hosts)
{
    for (size_t i = 0; hosts->places != NULL && i < hosts->options->hosts.count; i++) {
        free(hosts->places[i].text);
        json_decref(hosts->places[i].report);
    }
    free(hosts->places);
    findings_deinit(&hosts->findings);
    free(hosts);
}

int doctor_hosts(const struct options *options, const struct doctor_options *doctor)
{
    struct hosts_doctor *hosts = calloc(1, sizeof(*hosts));
    struct err_text error = {{0}};
    int status = DOCTOR_CANNOT_LOOK;
    if (hosts == NULL) {
        (void)fputs("quartet doctor: no memory\n", stderr);
        return status;
    }
    hosts->options = options;
    hosts->doctor = doctor;
    hosts->places = calloc(options->hosts.count, sizeof(*hosts->places));
    if (hosts->places == NULL || findings_init(&hosts->findings, options->hosts.count) != 0) {
        (void)fputs("quartet doctor: no memory\n", stderr);
    } else if (stage_init(&hosts->stage, NULL, &error) != 0) {
        (void)fprintf(stderr, "quartet doctor: %s\n", error.s);
    } else {
        status = go(hosts);
        close_all(hosts);
    }
    free_all(hosts);
    return status;
}
