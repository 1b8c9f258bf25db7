/* Who answers at the port, and whether the two agree on keys: see diagnose.h. */
#include "common/doctor/diagnose.h"

#include <string.h>

/* --- who answers --- */

/* Hidden behind a connection that stands there can be anything. */
static const char ANOTHER_PORT[] =
    "that is another service: compare the port with what the coordinator says ('listening on ...')";

static void say_silence(const struct seen_address *address, struct findings *findings)
{
    struct finding *finding;
    if (address->reset) {
        finding = findings_add(findings,
                               HEALTH_FAIL,
                               "answer",
                               "the connection was taken and then reset, before a word was said");
        finding_advise(finding,
                       "a firewall that looks into connections, a proxy, or a program that died: "
                       "let what is between "
                       "pass this port as it is");
    } else if (address->hung_up) {
        finding = findings_add(
            findings, HEALTH_FAIL, "answer", "the connection was taken and closed without a word");
        finding_advise(finding,
                       "a tunnel or proxy whose other end leads nowhere, or a coordinator that may "
                       "not open more "
                       "files: look there");
    } else {
        finding = findings_add(
            findings, HEALTH_FAIL, "answer", "the connection was taken and nobody says a word");
        finding_advise(finding,
                       "a coordinator that is stopped (SIGSTOP, a debugger) or starved, a proxy, "
                       "or another service: "
                       "'ss -ltnp' there says whose port it is");
    }
}

static void say_cut(struct findings *findings)
{
    struct finding *finding = findings_add(
        findings,
        HEALTH_FAIL,
        "answer",
        "it begins to greet as ZeroMQ does, and then nothing more comes");
    finding_advise(finding,
                   "something between lets only the first packets pass, a firewall that looks into "
                   "connections or a proxy, "
                   "or the coordinator stopped at that moment: let this port pass as it is");
}

static void say_other(const struct seen_address *address, struct findings *findings)
{
    static const char *const kinds[] = {
        [GREETING_ZMTP_OLD] = "a ZeroMQ of before 3.0, which is no quartet",

        [GREETING_SSH] = "an SSH server",
        [GREETING_HTTP] = "an HTTP server",
        [GREETING_TLS] = "a server that wants TLS",
        [GREETING_OTHER] = "something else than quartet",
    };
    const struct greeting *greeting = &address->greeting;
    bool quote = greeting->words[0] != '\0';
    struct finding *finding = findings_add(findings,
                                           HEALTH_FAIL,
                                           "answer",
                                           "it is %s%s%s%s",
                                           kinds[greeting->kind],
                                           quote ? ": '" : "",
                                           greeting->words,
                                           quote ? "'" : "");
    finding_advise(finding, "%s", ANOTHER_PORT);
}

bool diagnose_answer(const struct seen *seen, struct findings *findings)
{
    const struct seen_address *first = &seen->addresses[0];
    if (seen->end == ZDIAL_OPEN || first->knock != KNOCK_CONNECTED) {
        return true;
    }
    if (first->greeting.kind == GREETING_ZMTP) {
        return true;
    }
    if (first->greeting.kind == GREETING_NONE) {
        say_silence(first, findings);
    } else if (first->greeting.kind == GREETING_ZMTP_CUT) {
        say_cut(findings);
    } else {
        say_other(first, findings);
    }
    return false;
}

/* --- keys --- */

static bool is_curve(const struct greeting *greeting)
{
    return strcmp(greeting->mechanism, "CURVE") == 0;
}

static void say_mismatch(const struct seen *seen, struct findings *findings)
{
    struct finding *finding;
    if (seen->keys) {
        finding = findings_add(
            findings,
            HEALTH_FAIL,
            "handshake",
            "who listens there has no keys, and this access file is of one who has");
        finding_advise(finding,
                       "another coordinator has that port, or it was begun without --keys DIR: "
                       "begin it with them, "
                       "or connect with --connect");
    } else {
        finding = findings_add(findings,
                               HEALTH_FAIL,
                               "handshake",
                               "the coordinator wants keys, and none were given here");
        finding_advise(finding,
                       "give --access FILE, which the coordinator writes ('quartet run --keys DIR "
                       "--access FILE')");
    }
}

static void say_other_key(const struct seen *seen, struct findings *findings)
{
    struct finding *finding = findings_add(
        findings,
        HEALTH_FAIL,
        "handshake",
        seen->keys ? "who listens there does not have the coordinator's key of this access file"
                   : "who listens there hung up on the handshake");
    finding_advise(finding,
                   seen->keys
                       ? "the coordinator was begun with other keys since the file was written, or "
                         "another one has "
                         "that port: take its access file anew"
                       : "is that a quartet coordinator? Compare the port with what it says");
}

void diagnose_key_refused(const struct seen *seen, struct findings *findings)
{
    struct finding *finding = findings_add(
        findings,
        HEALTH_FAIL,
        "key",
        "the coordinator does not accept the key of worker '%s': it is not, or not "
        "any more, in the 'authorized' of its keys",
        seen->key_name == NULL ? "" : seen->key_name);
    finding_advise(finding,
                   "there: 'quartet keygen DIR --worker NAME' makes and authorizes a key (of one "
                   "that was taken "
                   "back remove DIR/workers/NAME.key first); 'quartet run --keys DIR --access FILE "
                   "--access-for "
                   "NAME' writes its access file");
}

static void say_stuck(struct findings *findings)
{
    struct finding *finding = findings_add(
        findings,
        HEALTH_FAIL,
        "handshake",
        "it greets as ZeroMQ does, and then does not finish the handshake");
    finding_advise(finding,
                   "the coordinator's host is starved, or something between lets only the first "
                   "packets pass: try again, "
                   "and look for a proxy or a wrong MTU");
}

static void say_shaken(const struct seen *seen, struct findings *findings)
{
    (void)findings_add(
        findings,
        HEALTH_OK,
        "handshake",
        seen->keys ? "encrypted; the coordinator has its key and accepts that of worker '%s'"
                   : "in plaintext: nobody has keys%s",
        seen->keys && seen->key_name != NULL ? seen->key_name : "");
}

bool diagnose_handshake(const struct seen *seen, struct findings *findings)
{
    const struct seen_address *first = &seen->addresses[0];
    bool greeted = first->knock == KNOCK_CONNECTED && first->greeting.kind == GREETING_ZMTP;
    if (seen->end == ZDIAL_OPEN) {
        say_shaken(seen, findings);
        return true;
    }
    if (seen->end == ZDIAL_KEY_REFUSED) {
        diagnose_key_refused(seen, findings);
    } else if (seen->end == ZDIAL_MISMATCH ||
               (greeted && is_curve(&first->greeting) != seen->keys)) {
        say_mismatch(seen, findings);
    } else if (seen->end == ZDIAL_HUNG_UP || seen->end == ZDIAL_NO_HANDSHAKE) {
        say_other_key(seen, findings);
    } else {
        say_stuck(findings);
    }
    return false;
}
