/* Any bytes at all as an access file. What is taken is whole, and means the same when it is written
 * and read again; what is refused is refused in words. */
#include "common/base/check.h"
#include "common/io/access.h"
#include "common/io/secret_file.h"
#include "common/io/zsock.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct err_text error = {""};
    struct access access;
    struct access again;
    if (access_parse((const char *)bytes, len, &error, &access) != 0) {
        CHECK(error.s[0] != '\0');
        return 0;
    }
    CHECK(access.endpoint_count >= 1 && access.endpoint_count <= ACCESS_ENDPOINTS_MAX);
    for (size_t i = 0; i < access.endpoint_count; i++) {
        CHECK(zsock_endpoint_has_form(access.endpoints[i]));
    }
    CHECK(key_is_valid(access.server_key) && key_name_is_valid(access.name));
    char *text = access_format(&access, false);
    CHECK(text != NULL);
    CHECK(access_parse(text, strlen(text), &error, &again) == 0);
    CHECK(memcmp(&access, &again, sizeof(access)) == 0);
    secret_free(text);
    return 0;
}
