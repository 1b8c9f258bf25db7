/* What facts mean. Each case is the facts of an endpoint where all is well, spoilt in one place: the finding that this leads
 * to is the last one, and every failure says what to change. */
#include "common/doctor/diagnose.h"
#include "common/wire/wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct seen well(void)
{
    struct seen seen = {
        .endpoint = "tcp://coord.example:5555",
        .form = FORM_TCP,
        .host = "coord.example",
        .port = 5555,
        .keys = true,
        .key_name = "ada",
        .name_us = 300,
        .addresses = {{.text = "10.0.0.1", .source = "10.0.0.2"}},
        .address_count = 1,
        .end = ZDIAL_OPEN,
        .connect_us = 250,
        .talk = TALK_ANSWERED,
        .coordinator = {.protocol_major = WIRE_PROTOCOL_MAJOR,
                        .protocol_minor = WIRE_PROTOCOL_MINOR,
                        .build = "0.1.0",
                        .host = "head",
                        .workers = 3,
                        .workers_max = 16384,
                        .files_max = 20000,
                        .files_left = 19000},
        .echoes = {.round_us = {200, 300, 400},
                   .count = 3,
                   .offset_us = 50,
                   .offset_error_us = 100},
        .load_wanted = true,
        .up = {.bytes = 1 << 20, .bytes_per_s = 12.5e6},
        .down = {.bytes = 1 << 20, .bytes_per_s = 1.25e9},
    };
    return seen;
}

/* No connection: `error` when a closer look was taken. */
static struct seen unreached(int error, uint64_t took_us)
{
    struct seen seen = well();
    seen.end = ZDIAL_UNREACHED;
    seen.addresses[0].knock = KNOCK_FAILED;
    seen.addresses[0].error = error;
    seen.addresses[0].took_us = took_us;
    return seen;
}

/* A connection whose other end is somebody who says that. */
static struct seen answered_by(enum zdial_end end, enum greeting_kind kind, const char *words)
{
    struct seen seen = well();
    seen.end = end;
    seen.addresses[0].knock = KNOCK_CONNECTED;
    seen.addresses[0].greeting.kind = kind;
    (void)snprintf(seen.addresses[0].greeting.words, GREETING_WORDS_SIZE, "%s", words);
    return seen;
}

static struct seen with_mechanism(enum zdial_end end, const char *mechanism, bool keys)
{
    struct seen seen = answered_by(end, GREETING_ZMTP, "");
    (void)snprintf(seen.addresses[0].greeting.mechanism, GREETING_MECHANISM_SIZE, "%s", mechanism);
    seen.keys = keys;
    return seen;
}

static struct seen answering(enum seen_talk talk, const char *words)
{
    struct seen seen = well();
    seen.talk = talk;
    (void)snprintf(seen.words, sizeof(seen.words), "%s", words);
    return seen;
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", text, part);
    }
}

/* The last finding is that one, and it alone is not well. */
static void assert_ends(const struct seen *seen,
                        enum health health,
                        const char *check,
                        const char *text,
                        const char *advice)
{
    struct findings findings;
    assert_int_equal(findings_init(&findings, FINDINGS_MAX), 0);
    diagnose_endpoint(seen, &findings);
    assert_true(findings.count > 0);
    for (size_t i = 0; i + 1 < findings.count; i++) {
        assert_int_equal(findings.list[i].health, HEALTH_OK);
    }
    const struct finding *last = &findings.list[findings.count - 1];
    assert_string_equal(last->check, check);
    assert_int_equal(last->health, health);
    assert_has(last->text, text);
    assert_has(last->advice, advice);
    findings_deinit(&findings);
}

static void assert_fails(const struct seen *seen,
                         const char *check,
                         const char *text,
                         const char *advice)
{
    assert_ends(seen, HEALTH_FAIL, check, text, advice);
}

/* The one finding about `check` is so, wherever it is. */
static void assert_says(const struct seen *seen,
                        enum health health,
                        const char *check,
                        const char *text)
{
    struct findings findings;
    bool found = false;
    assert_int_equal(findings_init(&findings, FINDINGS_MAX), 0);
    diagnose_endpoint(seen, &findings);
    for (size_t i = 0; i < findings.count; i++) {
        if (strcmp(findings.list[i].check, check) == 0) {
            assert_int_equal(findings.list[i].health, health);
            assert_has(findings.list[i].text, text);
            assert_true(health == HEALTH_OK || findings.list[i].advice[0] != '\0');
            found = true;
        }
    }
    assert_true(found);
    findings_deinit(&findings);
}

static void test_diagnose_says_that_all_is_well_in_a_line_each(void **state)
{
    (void)state;
    static const char *const checks[] = {"name",
                                         "route",
                                         "port",
                                         "handshake",
                                         "protocol",
                                         "round trip",
                                         "clock",
                                         "bandwidth",
                                         "room"};
    struct seen seen = well();
    struct findings findings;
    assert_int_equal(findings_init(&findings, FINDINGS_MAX), 0);
    diagnose_endpoint(&seen, &findings);
    assert_int_equal(findings.count, sizeof(checks) / sizeof(checks[0]));
    for (size_t i = 0; i < findings.count; i++) {
        assert_string_equal(findings.list[i].check, checks[i]);
        assert_int_equal(findings.list[i].health, HEALTH_OK);
        assert_string_equal(findings.list[i].advice, "");
    }
    findings_deinit(&findings);
    assert_says(&seen, HEALTH_OK, "name", "coord.example is 10.0.0.1, which took 300 us");
    assert_says(&seen, HEALTH_OK, "handshake", "accepts that of worker 'ada'");
    assert_says(&seen, HEALTH_OK, "round trip", "300 us, and 200 us at least, of 3");
    assert_says(&seen, HEALTH_OK, "bandwidth", "100 Mbit/s to the coordinator, 10 Gbit/s from it");
    assert_says(&seen, HEALTH_OK, "clock", "the same, give or take 100 us");
}

static void test_diagnose_form(void **state)
{
    (void)state;
    struct seen seen = well();
    seen.form = FORM_NONE;
    assert_fails(&seen, "endpoint", "no endpoint", "tcp://ADDRESS:PORT");
    seen.form = FORM_BAD_PORT;
    assert_fails(&seen, "endpoint", "no port", "listening on");
    seen.form = FORM_EVERY_ADDRESS;
    (void)snprintf(seen.host, sizeof(seen.host), "*");
    assert_fails(&seen, "endpoint", "'*' means every address", "tcp://ADDRESS:5555");
}

static void test_diagnose_name(void **state)
{
    (void)state;
    struct seen seen = well();
    seen.address_count = 0;
    (void)snprintf(seen.name_error, sizeof(seen.name_error), "Name or service not known");
    assert_fails(
        &seen, "name", "'coord.example' leads to no address on this host: Name or", "/etc/hosts");
    seen.name_timeout = true;
    assert_fails(&seen, "name", "'coord.example'", "/etc/resolv.conf");
    seen = well();
    seen.name_us = 5000000;
    assert_says(&seen, HEALTH_WARN, "name", "which took 5.00 s");
}

static void test_diagnose_lists_the_addresses_of_a_name(void **state)
{
    (void)state;
    struct seen seen = well();
    seen.address_count = 3;
    (void)snprintf(seen.addresses[1].text, SEEN_ADDRESS_SIZE, "10.0.0.7");
    (void)snprintf(seen.addresses[2].text, SEEN_ADDRESS_SIZE, "2001:db8::7");
    assert_says(&seen, HEALTH_OK, "name", "is 10.0.0.1, 10.0.0.7 and 2001:db8::7,");
    seen = unreached(ECONNREFUSED, 100);
    seen.address_count = 2;
    (void)snprintf(seen.addresses[1].text, SEEN_ADDRESS_SIZE, "10.0.0.7");
    seen.addresses[1].knock = KNOCK_CONNECTED;
    struct findings findings;
    assert_int_equal(findings_init(&findings, FINDINGS_MAX), 0);
    diagnose_endpoint(&seen, &findings);
    assert_has(findings.list[findings.count - 1].text, "10.0.0.7, another address of that name");
    assert_has(findings.list[findings.count - 1].advice, "--advertise '10.0.0.7'");
    findings_deinit(&findings);
}

static void test_diagnose_route(void **state)
{
    (void)state;
    struct seen seen = well();
    seen.addresses[0].route_error = ENETUNREACH;
    assert_fails(&seen,
                 "route",
                 "none from this host to 10.0.0.1: Network is unreachable",
                 "ip route get 10.0.0.1");
    seen.address_count = 2;
    (void)snprintf(seen.addresses[1].text, SEEN_ADDRESS_SIZE, "10.0.0.7");
    assert_fails(&seen, "route", "to 10.0.0.1", "--advertise '10.0.0.7'");
}

static void test_diagnose_port_tells_failures_apart(void **state)
{
    (void)state;
    struct seen seen = unreached(ECONNREFUSED, 100);
    assert_fails(
        &seen, "port", "10.0.0.1 refuses connections to port 5555: nobody listens", "ss -ltn");
    seen = unreached(ETIMEDOUT, 4000000);
    assert_fails(
        &seen, "port", "nobody answered a connection to 10.0.0.1 port 5555 for 4.00 s", "inbound");
    seen.addresses[0].way = (struct seen_way){.hops = HOPS_ARRIVED};
    assert_fails(&seen,
                 "port",
                 "that host answers otherwise, so it is up",
                 "a firewall drops this port: open TCP port 5555");
    seen.addresses[0].way = (struct seen_way){.hops = HOPS_LAST, .hop = 3, .address = "10.9.9.9"};
    assert_fails(&seen,
                 "port",
                 "the last that is heard of on the way is hop 3, 10.9.9.9",
                 "open TCP port 5555");
    seen = unreached(EHOSTUNREACH, 3000000);
    assert_fails(
        &seen, "port", "nobody on this network has the address 10.0.0.1", "is the host up");
    seen = unreached(EHOSTUNREACH, 500);
    assert_fails(&seen,
                 "port",
                 "refused at once by that host or on the way to it: No route to host",
                 "a firewall rejects it");
    seen.addresses[0].way = (struct seen_way){.hops = HOPS_ARRIVED};
    assert_fails(&seen,
                 "port",
                 "10.0.0.1 is up, and a firewall there or on the way rejects",
                 "allow TCP port 5555");
    seen.addresses[0].way = (struct seen_way){
        .hops = HOPS_REFUSED, .address = "10.9.9.9", .forbidden = true};
    assert_fails(&seen,
                 "port",
                 "10.9.9.9, on the way, refuses what is sent to 10.0.0.1 port 5555: a rule",
                 "allow TCP port");
    seen.addresses[0].way.forbidden = false;
    assert_fails(&seen, "port", "it knows no way there", "a router has no way");
    seen = unreached(EPERM, 10);
    assert_fails(&seen, "port", "this host itself does not let us", "outbound");
}

static void test_diagnose_port_without_a_closer_look(void **state)
{
    (void)state;
    struct seen seen = well();
    seen.end = ZDIAL_UNREACHED;
    assert_fails(&seen, "port", "no time left", "");
}

static void test_diagnose_port_of_ipc(void **state)
{
    (void)state;
    struct seen seen = unreached(ENOENT, 1);
    seen.form = FORM_IPC;
    (void)snprintf(seen.host, sizeof(seen.host), "/run/q");
    assert_fails(
        &seen, "port", "no connection to /run/q: No such file", "is the coordinator running");
    seen.addresses[0].error = EACCES;
    assert_fails(&seen, "port", "Permission denied", "as the user of the coordinator");
}

static void test_diagnose_who_answers(void **state)
{
    (void)state;
    struct seen seen = answered_by(ZDIAL_STUCK, GREETING_NONE, "");
    assert_fails(&seen, "answer", "nobody says a word", "SIGSTOP");
    seen.addresses[0].hung_up = true;
    assert_fails(&seen, "answer", "closed without a word", "tunnel");
    seen.addresses[0].reset = true;
    assert_fails(&seen, "answer", "reset", "firewall");
    seen = answered_by(ZDIAL_NO_HANDSHAKE, GREETING_SSH, "SSH-2.0-OpenSSH_9.2");
    assert_fails(&seen, "answer", "an SSH server: 'SSH-2.0-OpenSSH_9.2'", "compare the port");
    seen = answered_by(ZDIAL_STUCK, GREETING_HTTP, "HTTP/1.1 400");
    assert_fails(&seen, "answer", "an HTTP server: 'HTTP/1.1 400'", "another service");
    seen = answered_by(ZDIAL_HUNG_UP, GREETING_TLS, "15 03");
    assert_fails(&seen, "answer", "wants TLS", "another service");
    seen = answered_by(ZDIAL_HUNG_UP, GREETING_OTHER, "220 mail");
    assert_fails(&seen, "answer", "something else than quartet: '220 mail'", "another service");
    seen = answered_by(ZDIAL_HUNG_UP, GREETING_ZMTP_CUT, "");
    assert_fails(&seen, "answer", "begins to greet", "something between");
    seen = answered_by(ZDIAL_HUNG_UP, GREETING_ZMTP_OLD, "");
    assert_fails(&seen, "answer", "before 3.0", "another service");
}

static void test_diagnose_keys(void **state)
{
    (void)state;
    struct seen seen = with_mechanism(ZDIAL_MISMATCH, "CURVE", false);
    assert_fails(&seen, "handshake", "wants keys, and none were given", "--access FILE");
    seen = with_mechanism(ZDIAL_HUNG_UP, "CURVE", false);
    assert_fails(&seen, "handshake", "wants keys, and none were given", "--access FILE");
    seen = with_mechanism(ZDIAL_MISMATCH, "NULL", true);
    assert_fails(
        &seen, "handshake", "has no keys, and this access file is of one who has", "--keys DIR");
    seen = with_mechanism(ZDIAL_HUNG_UP, "CURVE", true);
    assert_fails(
        &seen, "handshake", "does not have the coordinator's key of this access file", "anew");
    seen = with_mechanism(ZDIAL_KEY_REFUSED, "CURVE", true);
    assert_fails(&seen, "key", "does not accept the key of worker 'ada'", "quartet keygen");
    seen = with_mechanism(ZDIAL_STUCK, "CURVE", true);
    assert_fails(&seen, "handshake", "does not finish", "MTU");
}

static void test_diagnose_protocol(void **state)
{
    (void)state;
    struct seen seen = answering(TALK_OTHER_VERSION, "");
    seen.coordinator.protocol_major = 2;
    seen.coordinator.protocol_minor = 7;
    assert_fails(&seen, "protocol", "2.7 on head (quartet 0.1.0)", "install the same version");
    seen = answering(TALK_TOO_OLD, "");
    assert_ends(
        &seen, HEALTH_WARN, "protocol", "does not know doctors", "install the same version");
    seen = answering(TALK_REJECTED, "it has seen enough");
    assert_fails(&seen, "protocol", "refuses: it has seen enough", "");
    seen = answering(TALK_KEY_REFUSED, "the key of this worker was taken back");
    assert_fails(&seen, "key", "not any more, in the 'authorized'", "quartet keygen");
    seen = answering(TALK_GARBLED, "type is 99");
    assert_fails(&seen, "protocol", "not quartet's: type is 99", "another program");
    seen = answering(TALK_SILENCE, "");
    assert_fails(&seen, "protocol", "no question is answered", "stopped or starved");
    seen = well();
    seen.coordinator.protocol_minor = WIRE_PROTOCOL_MINOR + 1;
    assert_says(&seen, HEALTH_OK, "protocol", "what both know is used");
}

static void test_diagnose_clock_that_is_wrong_beyond_doubt(void **state)
{
    (void)state;
    struct seen seen = well();
    seen.echoes.offset_us = -90 * 1000000LL;
    assert_says(&seen, HEALTH_WARN, "clock", "90.0 s behind, give or take 100 us");
    seen.echoes.offset_us = 90 * 1000000LL;
    assert_says(&seen, HEALTH_WARN, "clock", "90.0 s ahead");
    seen.echoes.offset_us = 1500000;
    seen.echoes.offset_error_us = 1000000; /* over a very long line */
    assert_says(&seen, HEALTH_OK, "clock", "1.50 s ahead, give or take 1.00 s");
}

static void test_diagnose_bandwidth(void **state)
{
    (void)state;
    struct seen seen = well();
    seen.up.bytes_per_s = 50000;
    assert_says(&seen, HEALTH_WARN, "bandwidth", "400 kbit/s to the coordinator");
    seen = well();
    seen.down = (struct seen_load){.bytes = 0};
    assert_says(&seen, HEALTH_WARN, "bandwidth", "not measured from it");
    seen = well();
    seen.load_wanted = false;
    struct findings findings;
    assert_int_equal(findings_init(&findings, FINDINGS_MAX), 0);
    assert_true(diagnose_bandwidth(&seen, &findings));
    assert_int_equal(findings.count, 0);
    findings_deinit(&findings);
}

static void test_diagnose_room(void **state)
{
    (void)state;
    struct seen seen = well();
    seen.coordinator.workers = seen.coordinator.workers_max;
    assert_fails(&seen, "room", "takes no more", "another one leaves");
    seen = well();
    seen.coordinator.files_left = 5;
    assert_says(&seen, HEALTH_WARN, "room", "may open 5 more files of 20,000");
    seen = well();
    seen.coordinator.running = true;
    assert_says(&seen, HEALTH_OK, "room", "3 workers and a run going on");
}

static void test_diagnose_host_with_few_files(void **state)
{
    (void)state;
    struct findings findings;
    struct seen_host host = {
        .files_max = 128, .files_left = 100, .cores_usable = 2, .cores_online = 8};
    assert_int_equal(findings_init(&findings, FINDINGS_MAX), 0);
    diagnose_host(&host, false, &findings);
    assert_int_equal(findings.list[0].health, HEALTH_WARN);
    assert_has(findings.list[0].advice, "ulimit -Hn");
    assert_has(findings.list[1].text, "2 usable of 8 (what is allowed");
    host.files_left = 3;
    diagnose_host(&host, true, &findings);
    assert_int_equal(findings.list[2].health, HEALTH_FAIL);
    assert_has(findings.list[2].advice, "each worker takes one");
    host = (struct seen_host){
        .files_max = 1024, .files_left = 1000, .cores_usable = 8, .cores_online = 8};
    diagnose_host(&host, false, &findings);
    assert_int_equal(findings.list[4].health, HEALTH_OK);
    findings_deinit(&findings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_diagnose_says_that_all_is_well_in_a_line_each),
        cmocka_unit_test(test_diagnose_form),
        cmocka_unit_test(test_diagnose_name),
        cmocka_unit_test(test_diagnose_lists_the_addresses_of_a_name),
        cmocka_unit_test(test_diagnose_route),
        cmocka_unit_test(test_diagnose_port_tells_failures_apart),
        cmocka_unit_test(test_diagnose_port_without_a_closer_look),
        cmocka_unit_test(test_diagnose_port_of_ipc),
        cmocka_unit_test(test_diagnose_who_answers),
        cmocka_unit_test(test_diagnose_keys),
        cmocka_unit_test(test_diagnose_protocol),
        cmocka_unit_test(test_diagnose_clock_that_is_wrong_beyond_doubt),
        cmocka_unit_test(test_diagnose_bandwidth),
        cmocka_unit_test(test_diagnose_room),
        cmocka_unit_test(test_diagnose_host_with_few_files),
    };
    return cmocka_run_group_tests_name("doctor_diagnose", tests, NULL, NULL);
}
