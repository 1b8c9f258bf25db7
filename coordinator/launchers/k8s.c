/* quartet launch k8s: workers in a Kubernetes cluster. The manifest (k8s_manifest.h) is printed, for whoever applies or keeps it, or with
 * --apply given to kubectl. Returns at once: the cluster keeps the workers. */
#include "coordinator/launchers/k8s_manifest.h"
#include "coordinator/launchers/k8s_names.h"
#include "coordinator/launchers/launcher.h"
#include "coordinator/launchers/worker_command.h"

#include <string.h>

enum { USER_MAX = 0x7fffffff, USER = 10001 };

struct k8s_options {
    const char *image;
    const char *kind;
    const char *name;
    const char *name_space;
    const char *cpus;
    const char *memory;
    const char *secret;
    const char *service; /* NAME[:PORT] */
    const char *kubectl;
    uint64_t user;
    bool apply;
};

static void defaults(void *options)
{
    struct k8s_options *k8s = options;
    k8s->image = "quartet-worker";
    k8s->kind = "job";
    k8s->name = "quartet-worker";
    k8s->cpus = "1";
    k8s->memory = "1Gi";
    k8s->kubectl = "kubectl";
    k8s->user = USER;
}

/* --- the command line --- */

static void add_pods(struct cli_table *table, struct k8s_options *k8s)
{
    const struct cli_option list[] = {
        {.name = "image",
         .kind = CLI_TEXT,
         .value = "IMAGE",
         .target = &k8s->image,
         .default_text = "quartet-worker",
         .help = "of the workers, with quartet-worker in it: deploy/container.md"},
        {.name = "kind",
         .kind = CLI_TEXT,
         .value = "KIND",
         .target = &k8s->kind,
         .default_text = "job",
         .help = "job: workers for one run; deployment: workers that stay and serve one run "
                 "after the other"},
        {.name = "cpus",
         .kind = CLI_TEXT,
         .value = "QUANTITY",
         .target = &k8s->cpus,
         .default_text = "1",
         .help = "processor time of each, asked for and not exceeded: 2, 500m; what counts as "
                 "usable cores there"},
        {.name = "memory",
         .kind = CLI_TEXT,
         .value = "QUANTITY",
         .target = &k8s->memory,
         .default_text = "1Gi",
         .help = "memory of each with its items, asked for and not exceeded: 512Mi"},
        {.name = "user",
         .kind = CLI_COUNT,
         .value = "UID",
         .target = &k8s->user,
         .min = 1,
         .max = USER_MAX,
         .default_text = "10001, as in our images",
         .help = "whom they run as, and their group: a number, and never root"},
    };
    cli_table_add(table, list, sizeof(list) / sizeof(list[0]));
}

static void add_cluster(struct cli_table *table, struct k8s_options *k8s)
{
    const struct cli_option list[] = {
        {.name = "name",
         .kind = CLI_TEXT,
         .value = "NAME",
         .target = &k8s->name,
         .default_text = "quartet-worker",
         .help = "of the Job or Deployment; the Secret is NAME-access"},
        {.name = "namespace",
         .kind = CLI_TEXT,
         .value = "NAMESPACE",
         .target = &k8s->name_space,
         .default_text = "kubectl's",
         .help = "where all of it is"},
        {.name = "secret",
         .kind = CLI_TEXT,
         .value = "NAME",
         .target = &k8s->secret,
         .help =
             "use the Secret that is there and has the access file under 'access.json', and make "
             "none: a manifest without a secret in it"},
        {.name = "service",
         .kind = CLI_TEXT,
         .value = "NAME[:PORT]",
         .target = &k8s->service,
         .default_text = "none; port 5555",
         .help =
             "for a coordinator in the cluster: a Service that leads to the pod with the "
             "labels app.kubernetes.io/name=quartet and app.kubernetes.io/component=coordinator"},
        {.name = "apply",
         .kind = CLI_FLAG,
         .target = &k8s->apply,
         .help = "give the manifest to 'kubectl apply' instead of printing it"},
        {.name = "kubectl",
         .kind = CLI_TEXT,
         .value = "COMMAND",
         .target = &k8s->kubectl,
         .default_text = "kubectl",
         .help = "the command for that"},
    };
    cli_table_add(table, list, sizeof(list) / sizeof(list[0]));
}

static void add_options(struct cli_table *table, void *options)
{
    cli_table_head(table, "Pods");
    add_pods(table, options);
    cli_table_head(table, "Cluster");
    add_cluster(table, options);
}

/* --- what makes no sense there --- */

static int check_image(const char *image, struct err_text *ret_error)
{
    for (const char *at = image; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~') {
            return err_set(
                ret_error, ERR_INVALID, "--image: '%.200s' is no name of an image", image);
        }
    }
    return *image != '\0' ? 0 : err_set(ret_error, ERR_INVALID, "--image is empty: which one?");
}

static int check_kind(const struct k8s_options *k8s, struct err_text *ret_error)
{
    if (strcmp(k8s->kind, "job") == 0 || strcmp(k8s->kind, "deployment") == 0) {
        return 0;
    }
    return err_set(
        ret_error, ERR_INVALID, "--kind: '%.64s' is neither job nor deployment", k8s->kind);
}

static int check_request(const struct launcher_request *request,
                         const struct k8s_options *k8s,
                         struct err_text *ret_error)
{
    if (request->workers == 0) {
        return err_set(ret_error, ERR_INVALID, "how many workers? give --workers N");
    }
    if (k8s->secret != NULL && request->access == NULL) {
        return err_set(ret_error,
                       ERR_INVALID,
                       "--secret '%.64s' has an access file, and --connect goes without one: give "
                       "--access FILE",
                       k8s->secret);
    }
    return 0;
}

static int check(const struct launcher_request *request,
                 const struct k8s_options *k8s,
                 struct err_text *ret_error)
{
    int rc = check_request(request, k8s, ret_error);
    rc = rc != 0 ? rc : check_kind(k8s, ret_error);
    rc = rc != 0 ? rc : check_image(k8s->image, ret_error);
    rc = rc != 0 ? rc : k8s_check_name("--name", k8s->name, K8S_NAME_MAX, ret_error);
    if (rc == 0 && k8s->name_space != NULL) {
        rc = k8s_check_name("--namespace", k8s->name_space, K8S_LABEL_MAX, ret_error);
    }
    if (rc == 0 && k8s->secret != NULL) {
        rc = k8s_check_name("--secret", k8s->secret, K8S_LABEL_MAX, ret_error);
    }
    rc = rc != 0 ? rc : k8s_check_cpus("--cpus", k8s->cpus, ret_error);
    return rc != 0 ? rc : k8s_check_memory("--memory", k8s->memory, ret_error);
}

/* --- the Service --- */

/* Workers go where the access file says: it must know the Service. */
static int check_leads_there(const struct launcher_request *request,
                             const char *name,
                             uint16_t port,
                             struct err_text *ret_error)
{
    bool keys = request->access != NULL;
    const char *const *endpoints = keys ? request->endpoints : &request->connect;
    size_t count = keys ? request->endpoint_count : 1;
    for (size_t i = 0; i < count; i++) {
        if (k8s_leads_to(endpoints[i], name, port)) {
            return 0;
        }
    }
    return err_set(ret_error,
                   ERR_INVALID,
                   "--service: workers are told to go to %.100s, and not to %.64s:%u: give the "
                   "coordinator --advertise %.64s:%u",
                   count > 0 ? endpoints[0] : "nowhere",
                   name,
                   port,
                   name,
                   port);
}

/* --- the plan --- */

static void add_apply(struct plan *plan,
                      const struct launcher_request *request,
                      const struct k8s_options *k8s,
                      const char *manifest)
{
    struct words *words = plan_run(plan);
    words_add(words, "%s", k8s->kubectl);
    words_add(words, "apply");
    words_add(words, "-f");
    words_add(words, "-");
    for (size_t i = 0; i < request->rest_count; i++) {
        words_add(words, "%s", request->rest[i]);
    }
    plan_feed(plan, PLAN_TEXT, manifest);
}

static void add_manifest(struct plan *plan,
                         const struct launcher_request *request,
                         const struct k8s_options *k8s,
                         const struct k8s_spec *spec)
{
    struct script whole = {.text = NULL};
    struct script redacted = {.text = NULL};
    k8s_manifest_add(&whole, spec, false);
    k8s_manifest_add(&redacted, spec, true);
    if (whole.incomplete || redacted.incomplete) {
        plan->incomplete = true;
    } else {
        if (k8s->apply) {
            add_apply(plan, request, k8s, whole.text);
        } else {
            plan_print(plan, whole.text);
        }
        if (strcmp(whole.text, redacted.text) != 0) {
            plan_redact(plan, redacted.text);
        }
    }
    script_deinit(&whole);
    script_deinit(&redacted);
}

static int plan(const struct launcher_request *request,
                const void *options,
                struct err_text *ret_error,
                struct plan *plan)
{
    const struct k8s_options *k8s = options;
    char service[K8S_LABEL_MAX + 1];
    struct words command = {.list = NULL};
    struct k8s_spec spec = {
        .name = k8s->name,
        .name_space = k8s->name_space,
        .image = k8s->image,
        .cpus = k8s->cpus,
        .memory = k8s->memory,
        .deployment = strcmp(k8s->kind, "deployment") == 0,
        .workers = request->workers,
        .user = k8s->user,
        .drain_limit_s = request->drain_limit_s,
        .secret_name = k8s->secret,
        .access_text = request->access_text,
        .service = k8s->service != NULL ? service : NULL,
        .command = &command,
    };
    int rc = check(request, k8s, ret_error);
    if (rc == 0 && k8s->service != NULL) {
        rc = k8s_parse_service(k8s->service, ret_error, service, &spec.service_port);
        rc = rc != 0 ? rc : check_leads_there(request, service, spec.service_port, ret_error);
    }
    if (rc != 0) {
        return rc;
    }
    const struct worker_command how = {
        .access = request->access != NULL ? K8S_ACCESS_PATH : NULL,
        .workers = request->workers,
    };
    worker_command_add(&command, request, &how);
    if (command.incomplete) {
        plan->incomplete = true;
    } else {
        add_manifest(plan, request, k8s, &spec);
    }
    words_deinit(&command);
    return 0;
}

const struct launcher_ops launcher_k8s = {
    .name = "k8s",
    .title = "in a Kubernetes cluster",
    .summary =
        "Prints a manifest with a Secret that holds the access file and a Job, or a Deployment, of "
        "workers, or gives it to 'kubectl apply'. Pods that are lost are replaced. The manifest "
        "has the secret in it unless --secret names one that is there; --dry-run shows it "
        "without.",
    .rest = "OPTIONS OF KUBECTL...",
    .examples = "quartet launch k8s --access worker.json --workers 20 --image IMAGE --apply\n"
                "quartet launch k8s --access worker.json --workers 20 --cpus 4 --memory 8Gi\n"
                "quartet launch k8s --access worker.json --workers 5 --kind deployment\n"
                "quartet launch k8s --access worker.json --workers 5 --service quartet:5555\n"
                "quartet launch k8s --access worker.json --workers 5 --apply -- --context far",
    .options_size = sizeof(struct k8s_options),
    .defaults = defaults,
    .add_options = add_options,
    .plan = plan,
};
