/* Making JSON out of plain values, with jansson.
 *
 * Every value may be NULL, without memory; build_set and build_append notice that, and build_take then gives NULL
 * for the whole. So whoever builds checks once, at the end.
 *
 * Three things that JSON cannot hold are written so that a reader notices: a number that is not
 * finite or not known is null, a whole number beyond 2^63 - 1 (jansson's largest) is a string,
 * and bytes that are not UTF-8 become U+FFFD. Checksums are 16 hexadecimal digits, because most
 * readers round integers beyond 2^53. */
#ifndef QUARTET_COORDINATOR_REPORT_JSON_BUILD_H
#define QUARTET_COORDINATOR_REPORT_JSON_BUILD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

json_t *build_real(double value);
json_t *build_real_if(bool known, double value);
json_t *build_whole(uint64_t value);
json_t *build_hex(uint64_t value);

/* Text from outside (arguments, file names, servers' messages) may be any bytes. */
json_t *build_text(const char *text);
json_t *build_text_if(const char *text); /* NULL: null */

/* An object or array under construction, and whether some part of it could not be had. */
struct build {
    json_t *json;
    bool failed;
};

struct build build_object(void);
struct build build_array(void);

/* Both take `value`. */
void build_set(struct build *build, const char *key, json_t *value);
void build_append(struct build *build, json_t *value);

/* The finished value, the caller's; or NULL when a part is missing. */
json_t *build_take(struct build *build);

#endif
