/* Any bytes at all as a line at the control socket, in both directions. A request that is taken means the
 * same when it is said again; a reply that is taken can be printed. */
#include "common/base/check.h"
#include "coordinator/status/control_message.h"
#include "coordinator/status/status.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void ask(const char *line, size_t len)
{
    struct err_text error = {""};
    struct control_request request;
    struct control_request again;
    if (control_request_parse(line, len, &error, &request) != 0) {
        CHECK(error.s[0] != '\0');
        return;
    }
    char *said = control_request_line(&request);
    CHECK(said != NULL && said[strlen(said) - 1] == '\n');
    CHECK(control_request_parse(said, strlen(said) - 1, &error, &again) == 0);
    CHECK(again.kind == request.kind);
    CHECK(request.kind != CONTROL_DRAIN || strcmp(again.worker, request.worker) == 0);
    free(said);
}

static void answer(const char *line, size_t len)
{
    struct err_text error = {""};
    json_t *result = NULL;
    if (control_reply_parse(line, len, &error, &result) != 0) {
        CHECK(error.s[0] != '\0');
        return;
    }
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    CHECK(stream != NULL);
    status_print(result, stream);
    status_print_line(result, stream);
    (void)fclose(stream);
    free(text);
    json_decref(result);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    ask((const char *)bytes, len);
    answer((const char *)bytes, len);
    return 0;
}
