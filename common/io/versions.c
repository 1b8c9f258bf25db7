#include "common/io/versions.h"

#include "quartet_version.h"

#include "common/wire/wire.h"

#include <curl/curl.h>
#include <protobuf-c/protobuf-c.h>
#include <uv.h>
#include <zmq.h>

const char *versions_quartet(void)
{
    return QUARTET_VERSION;
}

const char *versions_commit(void)
{
    return QUARTET_COMMIT;
}

size_t versions_libraries(struct version *ret_list, size_t max)
{
    enum { LIBRARIES = 4 };
    struct version list[LIBRARIES] = {
        {.name = "libzmq"}, {.name = "libuv"}, {.name = "libcurl"}, {.name = "protobuf-c"}};
    int major = 0;
    int minor = 0;
    int patch = 0;
    zmq_version(&major, &minor, &patch);
    (void)snprintf(list[0].text, sizeof(list[0].text), "%d.%d.%d", major, minor, patch);
    (void)snprintf(list[1].text, sizeof(list[1].text), "%s", uv_version_string());
    (void)snprintf(
        list[2].text, sizeof(list[2].text), "%s", curl_version_info(CURLVERSION_NOW)->version);
    (void)snprintf(list[3].text, sizeof(list[3].text), "%s", protobuf_c_version());
    size_t count = max < LIBRARIES ? max : LIBRARIES;
    for (size_t i = 0; i < count; i++) {
        ret_list[i] = list[i];
    }
    return count;
}

void versions_print(FILE *stream, const char *program)
{
    enum { LIBRARIES_MAX = 8 };
    struct version list[LIBRARIES_MAX];
    size_t count = versions_libraries(list, LIBRARIES_MAX);
    (void)fprintf(stream,
                  "%s %s (%s), protocol %d.%d\n",
                  program,
                  QUARTET_VERSION,
                  QUARTET_COMMIT,
                  WIRE_PROTOCOL_MAJOR,
                  WIRE_PROTOCOL_MINOR);
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(stream, "%-14s %s\n", list[i].name, list[i].text);
    }
}
