#include "coordinator/launchers/k8s_names.h"

#include "common/base/units.h"

#include <string.h>

enum { PORT_MAX = 65535 };

static const char lower_and_digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";

int k8s_check_name(const char *option, const char *name, size_t max, struct err_text *ret_error)
{
    size_t len = strlen(name);
    bool inner = strspn(name, lower_and_digits) > 0 &&
                 name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
    if (inner && len <= max && name[len - 1] != '-') {
        return 0;
    }
    return err_set(
        ret_error,
        ERR_INVALID,
        "%s: '%.100s' is no name in Kubernetes: a to z, 0 to 9 and '-' in between, at most %zu",
        option,
        name,
        max);
}

/* A decimal number that is not zero, and one of the suffixes. */
static int check_quantity(const char *option,
                          const char *value,
                          const char *const *suffixes,
                          const char *example,
                          struct err_text *ret_error)
{
    size_t digits = strspn(value, "0123456789");
    const char *rest = value + digits;
    if (*rest == '.') {
        size_t more = strspn(rest + 1, "0123456789");
        digits = more == 0 ? 0 : digits;
        rest += 1 + more;
    }
    bool known = *rest == '\0';
    for (size_t i = 0; suffixes[i] != NULL; i++) {
        known |= strcmp(rest, suffixes[i]) == 0;
    }
    bool zero = strspn(value, "0.") == (size_t)(rest - value);
    if (digits > 0 && known && !zero) {
        return 0;
    }
    return err_set(
        ret_error, ERR_INVALID, "%s: '%.64s' is no quantity such as %s", option, value, example);
}

int k8s_check_cpus(const char *option, const char *value, struct err_text *ret_error)
{
    static const char *const suffixes[] = {"m", NULL};
    return check_quantity(option, value, suffixes, "2 or 500m", ret_error);
}

int k8s_check_memory(const char *option, const char *value, struct err_text *ret_error)
{
    static const char *const suffixes[] = {
        "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", NULL};
    return check_quantity(option, value, suffixes, "512Mi or 2Gi", ret_error);
}

int k8s_parse_service(const char *service,
                      struct err_text *ret_error,
                      char ret_name[K8S_LABEL_MAX + 1],
                      uint16_t *ret_port)
{
    size_t len = strcspn(service, ":");
    uint64_t port = K8S_SERVICE_PORT;
    if (service[len] == ':' &&
        (units_parse_u64(service + len + 1, PORT_MAX, &port) != 0 || port == 0)) {
        return err_set(
            ret_error, ERR_INVALID, "--service: '%.100s' has no port such as 5555", service);
    }
    if (len > K8S_LABEL_MAX) {
        return k8s_check_name("--service", service, K8S_LABEL_MAX, ret_error);
    }
    memcpy(ret_name, service, len);
    ret_name[len] = '\0';
    *ret_port = (uint16_t)port;
    return k8s_check_name("--service", ret_name, K8S_LABEL_MAX, ret_error);
}

bool k8s_leads_to(const char *endpoint, const char *name, uint16_t port)
{
    static const char scheme[] = "tcp://";
    uint64_t given = 0;
    if (strncmp(endpoint, scheme, strlen(scheme)) != 0) {
        return false;
    }
    const char *host = endpoint + strlen(scheme);
    const char *colon = strrchr(host, ':');
    size_t len = strlen(name);
    return colon != NULL && strncmp(host, name, len) == 0 &&
           (host[len] == '.' || host[len] == ':') &&
           units_parse_u64(colon + 1, PORT_MAX, &given) == 0 && given == port;
}
