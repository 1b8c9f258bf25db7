/* Any text at all as what another process says of a plugin. What is taken is whole, and its defaults
 * pass for a user's. */
#include "common/base/check.h"
#include "coordinator/run/plugin_description.h"
#include "worker/workloads/params.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct plugin_description description = {.forms = 0};
    struct err_text error = {""};
    if (plugin_description_parse((const char *)bytes, len, &error, &description) != 0) {
        CHECK(error.s[0] != '\0');
        return 0;
    }
    const struct workload_ops *workload = &description.workload;
    struct params params = {.count = 0};
    CHECK(strlen(workload->name) > 0 && strlen(workload->summary) > 0);
    CHECK(params_resolve(&params, workload->params, workload->param_count, &error) == 0);
    params_deinit(&params);
    plugin_description_deinit(&description);
    return 0;
}
