/* Any bytes at all as the report of a doctor on another host: what is taken of it is printable and within its bounds. */
#include "common/base/check.h"
#include "common/base/printable.h"
#include "common/doctor/report.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void look_at(const struct finding *finding)
{
    CHECK(finding->health <= HEALTH_FAIL);
    CHECK(printable(finding->check, strlen(finding->check)));
    CHECK(printable(finding->subject, strlen(finding->subject)));
    CHECK(printable(finding->text, strlen(finding->text)));
    CHECK(printable(finding->advice, strlen(finding->advice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct findings findings;
    json_t *report = json_loadb((const char *)bytes, len, 0, NULL);
    CHECK(findings_init(&findings, 16) == 0);
    if (report != NULL && report_read(report, &findings) == 0) {
        for (size_t i = 0; i < findings.count; i++) {
            look_at(&findings.list[i]);
        }
        json_decref(report_of("worker", &findings));
    }
    json_decref(report);
    findings_deinit(&findings);
    return 0;
}
