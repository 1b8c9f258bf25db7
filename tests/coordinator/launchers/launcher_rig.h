/* What the tests of launchers share: a request as `quartet launch` makes one, and what a launcher plans for it. */
#ifndef QUARTET_TESTS_LAUNCHER_RIG_H
#define QUARTET_TESTS_LAUNCHER_RIG_H

#include "coordinator/launchers/launcher.h"

#define RIG_SECRET "{\"secret_key\":\"not for show\"}\n"

/* An access file, the defaults of the command line, and an environment without anything in it. */
struct launcher_request rig_request(void);

/* Give a launcher its own options as a command line has them, NULL behind the last, and let it plan. `ret_plan` is for
 * plan_deinit. */
int rig_plan(const struct launcher_ops *launcher,
             const struct launcher_request *request,
             const char *const *arguments,
             struct err_text *ret_error,
             struct plan *ret_plan);

/* What --dry-run prints for these is `shown`, and no word of a command has the secret in it. */
void rig_expect(const struct launcher_ops *launcher,
                const struct launcher_request *request,
                const char *const *arguments,
                const char *shown);

/* They are refused with `part` in the text. */
void rig_expect_refused(const struct launcher_ops *launcher,
                        const struct launcher_request *request,
                        const char *const *arguments,
                        const char *part);

/* {"launch", arguments..., NULL} */
#define RIG_ARGUMENTS(...) ((const char *const[]){"launch", __VA_ARGS__})

#endif
