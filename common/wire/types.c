#include "common/wire/types.h"

#include <quartet.pb-c.h>

#define BODY(member) offsetof(Quartet__Header, member)

static const struct wire_type_info types[] = {
    [WIRE_HELLO] = {"HELLO", BODY(hello), false, false},
    [WIRE_WELCOME] = {"WELCOME", BODY(welcome), true, false},
    [WIRE_REJECT] = {"REJECT", BODY(reject), false, false},
    [WIRE_JOB] = {"JOB", BODY(job_spec), true, true},
    [WIRE_READY] = {"READY", BODY(ready), true, true},
    [WIRE_CHUNKS] = {"CHUNKS", BODY(chunks), true, true},
    [WIRE_RESULTS] = {"RESULTS", BODY(results), true, true},
    [WIRE_ACK] = {"ACK", 0, true, false},
    [WIRE_HEARTBEAT] = {"HEARTBEAT", BODY(heartbeat), false, false},
    [WIRE_CANCEL] = {"CANCEL", 0, true, true},
    [WIRE_DRAIN] = {"DRAIN", 0, true, false},
    [WIRE_RETURNED] = {"RETURNED", BODY(returned), true, false},
    [WIRE_BYE] = {"BYE", BODY(bye), false, false},
    [WIRE_FETCH] = {"FETCH", BODY(fetch), true, true},
    [WIRE_PART] = {"PART", BODY(part), true, true},
    [WIRE_HOLDING] = {"HOLDING", BODY(holding), true, true},
    [WIRE_PROBE] = {"PROBE", BODY(probe), false, false},
    [WIRE_ECHO] = {"ECHO", BODY(echo), false, false},
};

const struct wire_type_info *wire_type_info(uint32_t type)
{
    if (type < WIRE_TYPE_FIRST || type > WIRE_TYPE_LAST) {
        return NULL;
    }
    return &types[type];
}

const char *wire_type_name(enum wire_type type)
{
    const struct wire_type_info *info = wire_type_info((uint32_t)type);
    return info != NULL ? info->name : "?";
}
