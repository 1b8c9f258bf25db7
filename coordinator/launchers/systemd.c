/* quartet launch systemd: workers as instances of a template unit on this machine, which systemd starts again when they fail. Installs the
 * unit, unless it is there as it would be, and starts the instances. Returns at once. */
#include "common/base/units.h"
#include "coordinator/launchers/launcher.h"
#include "coordinator/launchers/systemd_unit.h"
#include "coordinator/launchers/worker_command.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_LEN = 64, INSTANCES_MAX = 512, PERCENT_MAX = 1000 * 100 };

struct systemd_options {
    const char *name;
    const char *unit_dir; /* NULL: where units of this manager go */
    const char *systemctl;
    const char *run_as;
    const char *cpus;   /* NULL: no limit */
    const char *memory; /* NULL: no limit */
    bool user;
    bool stay;
};

static void defaults(void *options)
{
    struct systemd_options *systemd = options;
    systemd->name = "quartet-worker";
    systemd->systemctl = "systemctl";
}

/* --- the command line --- */

static void add_units(struct cli_table *table, struct systemd_options *systemd)
{
    const struct cli_option list[] = {
        {.name = "name",
         .kind = CLI_TEXT,
         .value = "NAME",
         .target = &systemd->name,
         .default_text = "quartet-worker",
         .help = "of the template unit: NAME@.service, whose instances are NAME@1 to NAME@N"},
        {.name = "user",
         .kind = CLI_FLAG,
         .target = &systemd->user,
         .help = "units of this user's manager (systemctl --user), which need no root"},
        {.name = "stay",
         .kind = CLI_FLAG,
         .target = &systemd->stay,
         .help = "workers start again when the coordinator is done, for its next run, and with the "
                 "machine: until 'systemctl disable --now'"},
        {.name = "unit-dir",
         .kind = CLI_TEXT,
         .value = "DIR",
         .target = &systemd->unit_dir,
         .default_text = "/etc/systemd/system; with --user ~/.config/systemd/user",
         .help = "where the unit is installed"},
        {.name = "systemctl",
         .kind = CLI_TEXT,
         .value = "COMMAND",
         .target = &systemd->systemctl,
         .default_text = "systemctl",
         .help = "the command that asks the manager"},
    };
    cli_table_add(table, list, sizeof(list) / sizeof(list[0]));
}

static void add_service(struct cli_table *table, struct systemd_options *systemd)
{
    const struct cli_option list[] = {
        {.name = "run-as",
         .kind = CLI_TEXT,
         .value = "USER",
         .target = &systemd->run_as,
         .default_text = "a user made for it while it runs",
         .help = "whom workers run as, for items that need somebody's files"},
        {.name = "cpus",
         .kind = CLI_TEXT,
         .value = "N",
         .target = &systemd->cpus,
         .default_text = "no limit",
         .help = "cores that each may use, 0.5 for a half; what counts as usable cores there"},
        {.name = "memory",
         .kind = CLI_TEXT,
         .value = "BYTES",
         .target = &systemd->memory,
         .default_text = "no limit",
         .help = "memory of each with its items: 2Gi"},
    };
    cli_table_add(table, list, sizeof(list) / sizeof(list[0]));
}

static void add_options(struct cli_table *table, void *options)
{
    cli_table_head(table, "Units");
    add_units(table, options);
    cli_table_head(table, "Service");
    add_service(table, options);
}

/* --- what makes no sense there --- */

/* Names of units and of users have about the same characters. */
static int check_name(const char *option, const char *name, struct err_text *ret_error)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t len = strlen(name);
    if (len > 0 && len <= NAME_MAX_LEN && strspn(name, allowed) == len && name[0] != '-' &&
        name[0] != '.') {
        return 0;
    }
    return err_set(ret_error,
                   ERR_INVALID,
                   "%s: '%.100s' is no name here: letters, digits, '_', '-' and '.', at most %d",
                   option,
                   name,
                   NAME_MAX_LEN);
}

static int check_paths(const struct launcher_request *request, struct err_text *ret_error)
{
    if (request->access != NULL && !systemd_takes_path(request->access)) {
        return err_set(
            ret_error,
            ERR_INVALID,
            "--access: a unit cannot name '%.200s': line ends, or a blank or '\\' at its end",
            request->access);
    }
    if (strchr(request->worker_path, '/') == NULL) {
        return check_name("--worker-path", request->worker_path, ret_error);
    }
    if (!systemd_takes_path(request->worker_path)) {
        return err_set(
            ret_error,
            ERR_INVALID,
            "--worker-path: '%.200s' must begin with '/': systemd has no current directory",
            request->worker_path);
    }
    return 0;
}

static int check_workers(const struct launcher_request *request, struct err_text *ret_error)
{
    if (request->workers == 0) {
        return err_set(ret_error, ERR_INVALID, "how many workers? give --workers N");
    }
    if (request->workers > INSTANCES_MAX) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--workers: %llu are more than %d on one machine: a worker runs many items "
                       "at once, see --slots",
                       (unsigned long long)request->workers,
                       INSTANCES_MAX);
    }
    return 0;
}

static int check(const struct launcher_request *request,
                 const struct systemd_options *systemd,
                 struct err_text *ret_error)
{
    int rc = check_workers(request, ret_error);
    rc = rc != 0 ? rc : check_name("--name", systemd->name, ret_error);
    if (rc == 0 && systemd->run_as != NULL) {
        rc = check_name("--run-as", systemd->run_as, ret_error);
    }
    if (rc == 0 && systemd->run_as != NULL && systemd->user) {
        rc = err_set(ret_error,
                     ERR_INVALID,
                     "--run-as '%.64s': services of --user run as that user: give one of them",
                     systemd->run_as);
    }
    return rc != 0 ? rc : check_paths(request, ret_error);
}

/* --cpus 1.5 is CPUQuota=150%. */
static int format_quota(const char *cpus, struct err_text *ret_error, char *ret_quota, size_t size)
{
    double cores = 0;
    if (units_parse_seconds(cpus, PERCENT_MAX / 100, &cores) != 0 || cores < 0.01 ||
        strspn(cpus, "0123456789.") != strlen(cpus)) {
        return err_set(
            ret_error, ERR_INVALID, "--cpus: '%.64s' is no number such as 2 or 0.5", cpus);
    }
    (void)snprintf(ret_quota, size, "%.0f%%", cores * 100);
    return 0;
}

static int format_memory(const char *memory,
                         struct err_text *ret_error,
                         char *ret_bytes,
                         size_t size)
{
    uint64_t bytes = 0;
    if (units_parse_bytes(memory, INT64_MAX, &bytes) != 0 || bytes == 0) {
        return err_set(
            ret_error, ERR_INVALID, "--memory: '%.64s' is no size such as 512Mi or 2Gi", memory);
    }
    (void)snprintf(ret_bytes, size, "%llu", (unsigned long long)bytes);
    return 0;
}

/* Where units go. */
static int find_unit_dir(const struct launcher_request *request,
                         const struct systemd_options *systemd,
                         struct err_text *ret_error,
                         char ret_dir[PATH_MAX])
{
    const char *config = request->env("XDG_CONFIG_HOME");
    const char *home = request->env("HOME");
    int len = 0;
    if (systemd->unit_dir != NULL && systemd->unit_dir[0] != '/') {
        return err_set(
            ret_error, ERR_INVALID, "--unit-dir: '%.200s' must begin with '/'", systemd->unit_dir);
    }
    if (systemd->unit_dir != NULL) {
        len = snprintf(ret_dir, PATH_MAX, "%s", systemd->unit_dir);
    } else if (!systemd->user) {
        len = snprintf(ret_dir, PATH_MAX, "/etc/systemd/system");
    } else if (config != NULL && config[0] == '/') {
        len = snprintf(ret_dir, PATH_MAX, "%s/systemd/user", config);
    } else if (home != NULL && home[0] == '/') {
        len = snprintf(ret_dir, PATH_MAX, "%s/.config/systemd/user", home);
    } else {
        return err_set(ret_error, ERR_INVALID, "--user: HOME is not set: give --unit-dir DIR");
    }
    return len > 0 && len < PATH_MAX - 2 * NAME_MAX_LEN
               ? 0
               : err_set(ret_error, ERR_INVALID, "'%.200s...' is too long for a path", ret_dir);
}

/* --- the plan --- */

static struct words *add_systemctl(struct plan *plan,
                                   const struct systemd_options *systemd,
                                   const char *verb)
{
    struct words *words = plan_run(plan);
    words_add(words, "%s", systemd->systemctl);
    if (systemd->user) {
        words_add(words, "--user");
    }
    words_add(words, "%s", verb);
    return words;
}

/* A worker of one run is not to be back with the machine. */
static void add_start(struct plan *plan,
                      const struct systemd_options *systemd,
                      const struct launcher_request *request)
{
    char said[NAME_MAX_LEN + 128];
    struct words *words = add_systemctl(plan, systemd, systemd->stay ? "enable" : "start");
    if (systemd->stay) {
        words_add(words, "--now");
    }
    for (uint64_t i = 1; i <= request->workers; i++) {
        words_add(words, "%s@%llu.service", systemd->name, (unsigned long long)i);
    }
    (void)snprintf(said,
                   sizeof(said),
                   "%llu started; see systemctl%s status '%s@*'",
                   (unsigned long long)request->workers,
                   systemd->user ? " --user" : "",
                   systemd->name);
    plan_say(plan, said);
}

static void add_unit(struct plan *plan,
                     const struct systemd_options *systemd,
                     const char *dir,
                     const struct systemd_spec *spec)
{
    char path[PATH_MAX + NAME_MAX_LEN + sizeof("/@.service")];
    struct script unit = {.text = NULL};
    (void)snprintf(path, sizeof(path), "%s/%s@.service", dir, systemd->name);
    systemd_unit_add(&unit, spec);
    if (unit.incomplete) {
        plan->incomplete = true;
    } else {
        plan_install(plan, path, unit.text);
    }
    script_deinit(&unit);
}

static void add_steps(struct plan *plan,
                      const struct launcher_request *request,
                      const struct systemd_options *systemd,
                      const char *dir,
                      const struct systemd_spec *spec)
{
    if (systemd->user) {
        struct words *words = plan_run(plan);
        words_add(words, "mkdir");
        words_add(words, "-p");
        words_add(words, "%s", dir);
    }
    add_unit(plan, systemd, dir, spec);
    (void)add_systemctl(plan, systemd, "daemon-reload");
    add_start(plan, systemd, request);
}

/* systemd looks in a few directories of the system only, whatever PATH says, and it starts workers on this machine. */
static struct launcher_request with_path(const struct launcher_request *request)
{
    struct launcher_request local = *request;
    bool is_default = strcmp(local.worker_path, "quartet-worker") == 0;
    if (is_default && local.worker_here != NULL && systemd_takes_path(local.worker_here)) {
        local.worker_path = local.worker_here;
    }
    return local;
}

static int plan(const struct launcher_request *request,
                const void *options,
                struct err_text *ret_error,
                struct plan *plan)
{
    const struct systemd_options *systemd = options;
    char dir[PATH_MAX];
    char quota[32];
    char memory[32];
    int rc = check(request, systemd, ret_error);
    rc = rc != 0 ? rc : find_unit_dir(request, systemd, ret_error, dir);
    if (rc == 0 && systemd->cpus != NULL) {
        rc = format_quota(systemd->cpus, ret_error, quota, sizeof(quota));
    }
    if (rc == 0 && systemd->memory != NULL) {
        rc = format_memory(systemd->memory, ret_error, memory, sizeof(memory));
    }
    if (rc != 0) {
        return rc;
    }
    struct words command = {.list = NULL};
    const struct worker_command how = {
        .access = request->access != NULL ? SYSTEMD_ACCESS : NULL,
        .workers = request->workers,
    };
    const struct launcher_request local = with_path(request);
    worker_command_add(&command, &local, &how);
    const struct systemd_spec spec = {
        .user_manager = systemd->user,
        .stay = systemd->stay,
        .run_as = systemd->run_as,
        .access = request->access,
        .drain_limit_s = request->drain_limit_s,
        .cpu_quota = systemd->cpus != NULL ? quota : NULL,
        .memory_max = systemd->memory != NULL ? memory : NULL,
        .command = &command,
    };
    if (command.incomplete) {
        plan->incomplete = true;
    } else {
        add_steps(plan, request, systemd, dir, &spec);
    }
    words_deinit(&command);
    return 0;
}

const struct launcher_ops launcher_systemd = {
    .name = "systemd",
    .title = "as services of this machine",
    .summary =
        "Installs the template unit NAME@.service and starts N instances of it: workers that "
        "systemd "
        "starts again when they fail, each with a user and a cache of its own. The access file is "
        "handed over as a credential and read anew at each start. A unit of that name that is "
        "there already and is another one is left, and refused.",
    .examples = "quartet launch systemd --access /root/worker.json --workers 2 --cpus 2\n"
                "quartet launch systemd --access worker.json --workers 1 --user --stay\n"
                "systemctl stop 'quartet-worker@*'",
    .options_size = sizeof(struct systemd_options),
    .defaults = defaults,
    .add_options = add_options,
    .plan = plan,
};
