/* The objects that Kubernetes is asked for so that workers run in a cluster, as JSON: a List of a Service where one is wanted, a Secret
 * with the access file, and a Job or a Deployment of workers. Pure.
 *
 * JSON because jansson writes it: every text comes out as itself, with no rules of ours for quoting. kubectl
 * and everything else that reads manifests takes it, as JSON is YAML.
 *
 * What the pods get: the access file, owned by root and readable through the group of the worker's user alone
 * (secret_file.h), mounted as a file by itself, since a whole Secret is a folder of symbolic links; nothing to write but /tmp; no
 * account of the cluster, no capabilities, the runtime's system-call filter. Requests are limits, so that a worker sees as
 * many cores as it has. */
#ifndef QUARTET_COORDINATOR_LAUNCHERS_K8S_MANIFEST_H
#define QUARTET_COORDINATOR_LAUNCHERS_K8S_MANIFEST_H

#include "coordinator/launchers/words.h"

#include <stdbool.h>
#include <stdint.h>

/* Where the access file is in a pod. */
#define K8S_ACCESS_PATH "/etc/quartet/access.json"

enum {
    K8S_DRAINED_STATUS = 5, /* of a worker that a signal told to leave: its pod is replaced */
    K8S_GRACE_S = 10,       /* beyond the drain limit, before the pod is killed */
    K8S_RETRIES = 3,        /* so often a worker may fail, on average, until the Job does */
};

struct k8s_spec {
    const char *name;       /* of the workers; the Secret is NAME-access */
    const char *name_space; /* NULL: the one that kubectl is set to */
    const char *image;
    const char *cpus; /* quantities as Kubernetes has them */
    const char *memory;
    bool deployment; /* workers that stay; otherwise a Job */
    uint64_t workers;
    uint64_t user;           /* and its group: numbers */
    double drain_limit_s;    /* of the workers */
    const char *secret_name; /* of one that is there; NULL: `access_text` makes one */
    const char *access_text; /* NULL: workers connect without keys */
    const char *service;     /* of a coordinator in the cluster; NULL: none */
    uint16_t service_port;
    const struct words *command; /* of a worker, without its name */
};

/* Add the manifest, with a line end, to `script`. With `redacted` the access file is left out. */
void k8s_manifest_add(struct script *script, const struct k8s_spec *spec, bool redacted);

#endif
