#include "coordinator/launchers/k8s_manifest.h"

#include "coordinator/launchers/k8s_names.h"
#include "coordinator/report/json_build.h"

#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a worker's own exit statuses mean to a Job (README). */
enum {
    STATUS_USAGE = 2,
    STATUS_REFUSED = 4,
    JOB_KEPT_S = 3600,
    SECRET_MODE = 0400,
    RETRIES_MIN = 6
};

/* --- small parts --- */

static json_t *text(const char *value)
{
    return build_text(value);
}

static json_t *number(uint64_t value)
{
    return build_whole(value);
}

/* An object of one or two members: most of what Kubernetes wants is that. */
static json_t *pair(const char *key, json_t *value, const char *key2, json_t *value2)
{
    struct build object = build_object();
    build_set(&object, key, value);
    if (key2 != NULL) {
        build_set(&object, key2, value2);
    }
    return build_take(&object);
}

static json_t *single(const char *key, json_t *value)
{
    return pair(key, value, NULL, NULL);
}

static json_t *list_of(json_t *one)
{
    struct build list = build_array();
    build_append(&list, one);
    return build_take(&list);
}

static json_t *labels(const struct k8s_spec *spec)
{
    struct build object = build_object();
    build_set(&object, "app.kubernetes.io/name", text("quartet"));
    build_set(&object, "app.kubernetes.io/component", text("worker"));
    build_set(&object, "app.kubernetes.io/instance", text(spec->name));
    return build_take(&object);
}

static void format_secret_name(const struct k8s_spec *spec, char *ret_name, size_t size)
{
    (void)snprintf(ret_name,
                   size,
                   "%s%s",
                   spec->secret_name != NULL ? spec->secret_name : spec->name,
                   spec->secret_name != NULL ? "" : "-access");
}

static json_t *secret_name(const struct k8s_spec *spec)
{
    char name[2 * K8S_LABEL_MAX + 1];
    format_secret_name(spec, name, sizeof(name));
    return text(name);
}

/* `name` is taken. */
static json_t *metadata(const struct k8s_spec *spec, json_t *name)
{
    struct build object = build_object();
    build_set(&object, "name", name);
    if (spec->name_space != NULL) {
        build_set(&object, "namespace", text(spec->name_space));
    }
    build_set(&object, "labels", labels(spec));
    return build_take(&object);
}

static struct build begin(const char *version, const char *kind, json_t *about)
{
    struct build object = build_object();
    build_set(&object, "apiVersion", text(version));
    build_set(&object, "kind", text(kind));
    build_set(&object, "metadata", about);
    return object;
}

/* --- the access file --- */

static bool has_access(const struct k8s_spec *spec)
{
    return spec->secret_name != NULL || spec->access_text != NULL;
}

/* Overwrite and free a text that holds the secret. */
static void wipe(char *text)
{
    if (text != NULL) {
        sodium_memzero(text, strlen(text));
        free(text);
    }
}

static json_t *encode(const char *plain)
{
    size_t size = sodium_base64_encoded_len(strlen(plain), sodium_base64_VARIANT_ORIGINAL);
    char *encoded = malloc(size);
    json_t *json = NULL;
    if (encoded != NULL) {
        (void)sodium_bin2base64(encoded,
                                size,
                                (const unsigned char *)plain,
                                strlen(plain),
                                sodium_base64_VARIANT_ORIGINAL);
        json = text(encoded);
    }
    wipe(encoded);
    return json;
}

static json_t *secret(const struct k8s_spec *spec, bool redacted)
{
    struct build object = begin("v1", "Secret", metadata(spec, secret_name(spec)));
    build_set(&object, "type", text("Opaque"));
    build_set(&object,
              "data",
              single("access.json",
                     redacted ? text("<access file, not shown>") : encode(spec->access_text)));
    return build_take(&object);
}

/* --- the coordinator's address --- */

static json_t *service(const struct k8s_spec *spec)
{
    struct build port = build_object();
    build_set(&port, "name", text("workers"));
    build_set(&port, "port", number(spec->service_port));
    build_set(&port, "targetPort", number(spec->service_port));
    build_set(&port, "protocol", text("TCP"));
    struct build object = begin("v1", "Service", metadata(spec, text(spec->service)));
    build_set(&object,
              "spec",
              pair("selector",
                   pair("app.kubernetes.io/name",
                        text("quartet"),
                        "app.kubernetes.io/component",
                        text("coordinator")),
                   "ports",
                   list_of(build_take(&port))));
    return build_take(&object);
}

/* --- a pod --- */

static json_t *resources(const struct k8s_spec *spec)
{
    return pair("requests",
                pair("cpu", text(spec->cpus), "memory", text(spec->memory)),
                "limits",
                pair("cpu", text(spec->cpus), "memory", text(spec->memory)));
}

static json_t *pod_security(const struct k8s_spec *spec)
{
    struct build object = build_object();
    build_set(&object, "runAsNonRoot", json_true());
    build_set(&object, "runAsUser", number(spec->user));
    build_set(&object, "runAsGroup", number(spec->user));
    build_set(&object, "fsGroup", number(spec->user));
    build_set(&object, "seccompProfile", single("type", text("RuntimeDefault")));
    return build_take(&object);
}

static json_t *container_security(void)
{
    struct build object = build_object();
    build_set(&object, "allowPrivilegeEscalation", json_false());
    build_set(&object, "readOnlyRootFilesystem", json_true());
    build_set(&object, "capabilities", single("drop", list_of(text("ALL"))));
    return build_take(&object);
}

/* In a command Kubernetes replaces $(NAME), and $$ by $. */
static json_t *literal(const char *word)
{
    struct script doubled = {.text = NULL};
    script_add(&doubled, "%s", "");
    for (; *word != '\0'; word++) {
        script_add(&doubled, "%s%c", *word == '$' ? "$" : "", *word);
    }
    json_t *json = doubled.incomplete ? NULL : text(doubled.text);
    script_deinit(&doubled);
    return json;
}

/* The program; its arguments are apart. The image's own entry point is not used: any image with the program in it will do. */
static json_t *program(const struct k8s_spec *spec)
{
    return list_of(literal(spec->command->list[0]));
}

/* With its pod's name: process numbers are alike in all containers. */
static json_t *arguments(const struct k8s_spec *spec)
{
    struct build list = build_array();
    for (size_t i = 1; i < spec->command->count; i++) {
        build_append(&list, literal(spec->command->list[i]));
    }
    build_append(&list, text("--name"));
    build_append(&list, text("$(POD_NAME)"));
    if (!spec->deployment) {
        char status[16];
        (void)snprintf(status, sizeof(status), "%d", K8S_DRAINED_STATUS);
        build_append(&list, text("--drained-status"));
        build_append(&list, text(status));
    }
    return build_take(&list);
}

static json_t *environment(void)
{
    struct build list = build_array();
    build_append(&list,
                 pair("name",
                      text("POD_NAME"),
                      "valueFrom",
                      single("fieldRef", single("fieldPath", text("metadata.name")))));
    build_append(&list, pair("name", text("HOME"), "value", text("/tmp")));
    return build_take(&list);
}

static json_t *mounts(const struct k8s_spec *spec)
{
    struct build list = build_array();
    build_append(&list, pair("name", text("tmp"), "mountPath", text("/tmp")));
    if (has_access(spec)) {
        struct build mount = build_object();
        build_set(&mount, "name", text("access"));
        build_set(&mount, "mountPath", text(K8S_ACCESS_PATH));
        build_set(&mount, "subPath", text("access.json"));
        build_set(&mount, "readOnly", json_true());
        build_append(&list, build_take(&mount));
    }
    return build_take(&list);
}

static json_t *volumes(const struct k8s_spec *spec)
{
    struct build list = build_array();
    build_append(&list, pair("name", text("tmp"), "emptyDir", json_object()));
    if (has_access(spec)) {
        build_append(
            &list,
            pair("name",
                 text("access"),
                 "secret",
                 pair("secretName", secret_name(spec), "defaultMode", number(SECRET_MODE))));
    }
    return build_take(&list);
}

static json_t *container(const struct k8s_spec *spec)
{
    struct build object = build_object();
    build_set(&object, "name", text("worker"));
    build_set(&object, "image", text(spec->image));
    build_set(&object, "command", program(spec));
    build_set(&object, "args", arguments(spec));
    build_set(&object, "workingDir", text("/tmp"));
    build_set(&object, "env", environment());
    build_set(&object, "resources", resources(spec));
    build_set(&object, "securityContext", container_security());
    build_set(&object, "volumeMounts", mounts(spec));
    build_set(&object, "terminationMessagePolicy", text("FallbackToLogsOnError"));
    return build_take(&object);
}

/* Over the nodes as evenly as may be, and anywhere rather than nowhere. */
static json_t *spread(const struct k8s_spec *spec)
{
    struct build object = build_object();
    build_set(&object, "maxSkew", number(1));
    build_set(&object, "topologyKey", text("kubernetes.io/hostname"));
    build_set(&object, "whenUnsatisfiable", text("ScheduleAnyway"));
    build_set(&object, "labelSelector", single("matchLabels", labels(spec)));
    return list_of(build_take(&object));
}

static json_t *pod(const struct k8s_spec *spec)
{
    struct build object = build_object();
    build_set(&object, "restartPolicy", text(spec->deployment ? "Always" : "Never"));
    build_set(&object,
              "terminationGracePeriodSeconds",
              number((uint64_t)ceil(spec->drain_limit_s) + K8S_GRACE_S));
    build_set(&object, "automountServiceAccountToken", json_false());
    build_set(&object, "enableServiceLinks", json_false());
    build_set(&object, "securityContext", pod_security(spec));
    build_set(&object, "topologySpreadConstraints", spread(spec));
    build_set(&object, "containers", list_of(container(spec)));
    build_set(&object, "volumes", volumes(spec));
    return pair("metadata", single("labels", labels(spec)), "spec", build_take(&object));
}

/* --- the workers --- */

/* What ends a worker that would be no mistake of its own is not counted; what no other try would mend ends the Job. */
static json_t *failure_policy(void)
{
    struct build statuses = build_array();
    build_append(&statuses, number(STATUS_USAGE));
    build_append(&statuses, number(STATUS_REFUSED));
    struct build codes = build_object();
    build_set(&codes, "containerName", text("worker"));
    build_set(&codes, "operator", text("In"));
    build_set(&codes, "values", build_take(&statuses));
    struct build rules = build_array();
    build_append(&rules,
                 pair("action",
                      text("Ignore"),
                      "onPodConditions",
                      list_of(pair("type", text("DisruptionTarget"), "status", text("True")))));
    build_append(&rules, pair("action", text("FailJob"), "onExitCodes", build_take(&codes)));
    return single("rules", build_take(&rules));
}

/* A worker that the coordinator was done with has completed its index; any other is replaced. */
static json_t *job(const struct k8s_spec *spec)
{
    uint64_t retries = K8S_RETRIES * spec->workers;
    struct build body = build_object();
    build_set(&body, "completionMode", text("Indexed"));
    build_set(&body, "completions", number(spec->workers));
    build_set(&body, "parallelism", number(spec->workers));
    build_set(&body, "backoffLimit", number(retries > RETRIES_MIN ? retries : RETRIES_MIN));
    build_set(&body, "ttlSecondsAfterFinished", number(JOB_KEPT_S));
    build_set(&body, "podFailurePolicy", failure_policy());
    build_set(&body, "template", pod(spec));
    struct build object = begin("batch/v1", "Job", metadata(spec, text(spec->name)));
    build_set(&object, "spec", build_take(&body));
    return build_take(&object);
}

static json_t *deployment(const struct k8s_spec *spec)
{
    struct build body = build_object();
    build_set(&body, "replicas", number(spec->workers));
    build_set(&body, "selector", single("matchLabels", labels(spec)));
    build_set(&body, "template", pod(spec));
    struct build object = begin("apps/v1", "Deployment", metadata(spec, text(spec->name)));
    build_set(&object, "spec", build_take(&body));
    return build_take(&object);
}

/* --- all of it --- */

static json_t *manifest(const struct k8s_spec *spec, bool redacted)
{
    struct build items = build_array();
    if (spec->service != NULL) {
        build_append(&items, service(spec));
    }
    if (spec->access_text != NULL && spec->secret_name == NULL) {
        build_append(&items, secret(spec, redacted));
    }
    build_append(&items, spec->deployment ? deployment(spec) : job(spec));
    struct build all = build_object();
    build_set(&all, "apiVersion", text("v1"));
    build_set(&all, "kind", text("List"));
    build_set(&all, "items", build_take(&items));
    return build_take(&all);
}

void k8s_manifest_add(struct script *script, const struct k8s_spec *spec, bool redacted)
{
    json_t *json = manifest(spec, redacted);
    char *dumped = json != NULL ? json_dumps(json, JSON_INDENT(2)) : NULL;
    json_decref(json);
    if (dumped == NULL) {
        script->incomplete = true;
        return;
    }
    script_add(script, "%s\n", dumped);
    wipe(dumped);
}
