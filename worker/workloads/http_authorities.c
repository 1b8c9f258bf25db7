#include "worker/workloads/http_authorities.h"

#include <curl/curl.h>
#include <stddef.h>
#include <unistd.h>

const char *http_authorities_choose(const char *built_in, const char *const *others)
{
    if (built_in != NULL && access(built_in, R_OK) == 0) {
        return NULL;
    }
    for (size_t i = 0; others[i] != NULL; i++) {
        if (access(others[i], R_OK) == 0) {
            return others[i];
        }
    }
    return NULL;
}

const char *http_authorities(void)
{
    static const char *const places[] = {
        "/etc/ssl/certs/ca-certificates.crt", /* Debian, Arch, Alpine */
        "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, Red Hat */
        "/etc/ssl/ca-bundle.pem",             /* SUSE */
        "/etc/ssl/cert.pem",                  /* Alpine, BSDs */
        NULL,
    };
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    return http_authorities_choose(info->age >= CURLVERSION_SEVENTH ? info->cainfo : NULL, places);
}
