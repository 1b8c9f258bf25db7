/* Names, quantities and addresses as Kubernetes has them: what it would refuse later is refused before anything is
 * done. Pure. `option` is what a person gave the value to, for the text of the refusal. */
#ifndef QUARTET_COORDINATOR_LAUNCHERS_K8S_NAMES_H
#define QUARTET_COORDINATOR_LAUNCHERS_K8S_NAMES_H

#include "common/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    K8S_NAME_MAX = 52,  /* with "-INDEX-xxxxx" it is a pod's host name, of 63 at most */
    K8S_LABEL_MAX = 63, /* characters of other names */
    K8S_SERVICE_PORT = 5555,
};

/* A name for most things: a label of RFC 1123, at most `max` characters. Returns 0 or ERR_INVALID. */
int k8s_check_name(const char *option, const char *name, size_t max, struct err_text *ret_error);

/* Quantities above 0: 2, 0.5 or 500m cores; 512Mi, 2G, 1.5Gi of memory. Return 0 or ERR_INVALID. */
int k8s_check_cpus(const char *option, const char *value, struct err_text *ret_error);
int k8s_check_memory(const char *option, const char *value, struct err_text *ret_error);

/* Take NAME[:PORT] apart, K8S_SERVICE_PORT when it has none. Returns 0 or ERR_INVALID. */
int k8s_parse_service(const char *service,
                      struct err_text *ret_error,
                      char ret_name[K8S_LABEL_MAX + 1],
                      uint16_t *ret_port);

/* Is `endpoint` tcp://NAME:PORT, or NAME with a domain behind it, such as NAME.NAMESPACE.svc? */
bool k8s_leads_to(const char *endpoint, const char *name, uint16_t port);

#endif
