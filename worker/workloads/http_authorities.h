/* Where the certificates of those are whom this machine trusts to vouch for servers of https. libcurl knows the place
 * of the distribution that it was built for; a worker that was copied here may be on another. */
#ifndef QUARTET_WORKER_WORKLOADS_HTTP_AUTHORITIES_H
#define QUARTET_WORKER_WORKLOADS_HTTP_AUTHORITIES_H

/* The file to be given to libcurl, or NULL: `built_in`, its own one (NULL: it has none), is there, or no other
 * is. `others` ends with NULL; the first that can be read is taken. */
const char *http_authorities_choose(const char *built_in, const char *const *others);

/* Likewise, for this libcurl and the distributions that there are. */
const char *http_authorities(void);

#endif
