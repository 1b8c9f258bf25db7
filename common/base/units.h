/* Numbers with units, as people write and read them. Pure: no locale, no errno left behind. */
#ifndef QUARTET_COMMON_BASE_UNITS_H
#define QUARTET_COMMON_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

enum { UNITS_TEXT_SIZE = 32 };

/* Whole decimal number, nothing before or after it. Returns 0, or ERR_INVALID when it is not one or exceeds `max`. */
int units_parse_u64(const char *text, uint64_t max, uint64_t *ret_value);

/* Non-negative decimal number of seconds, a fraction allowed ("0.1", "2", "1e-3"); optional suffix us, ms, s, m or h.
 * Returns 0, or ERR_INVALID when it is not one, is not finite, or exceeds `max` (seconds). */
int units_parse_seconds(const char *text, double max, double *ret_seconds);

/* A time as batch systems write wall times: seconds as units_parse_seconds, or "MM:SS", "H:MM:SS" or "D-HH:MM:SS", whose first
 * number may be of any size. Returns 0 or ERR_INVALID (also beyond `max` seconds). */
int units_parse_wall_time(const char *text, double max, double *ret_seconds);

/* Bytes: whole number with optional suffix k, M, G (powers of 1000) or Ki, Mi, Gi (of 1024), optional B behind it.
 * Returns 0, or ERR_INVALID. */
int units_parse_bytes(const char *text, uint64_t max, uint64_t *ret_bytes);

/* "412 us", "6.43 ms", "0.805 s", "64.2 s", "3m 20s", "2h 05m": three significant digits below 100 s. "?" when it is no number.
 * Writes at most UNITS_TEXT_SIZE bytes and returns `ret_text`. */
char *units_format_seconds(double seconds, char ret_text[UNITS_TEXT_SIZE]);

/* "64", "9,999", "10.0 M", "1.90 G": exact with separators below 100,000, three significant digits above. */
char *units_format_count(uint64_t count, char ret_text[UNITS_TEXT_SIZE]);

/* "0.665", "16.4", "999", "12,345", "1.90 M": items in a second. Three significant digits below 1000, then as units_format_count.
 * "?" when it is no number, or negative. */
char *units_format_rate(double per_second, char ret_text[UNITS_TEXT_SIZE]);

/* "64", "10,000,000": exact with separators, however large. For counts of items: that none is lost is the point of them. */
char *units_format_exact(uint64_t count, char ret_text[UNITS_TEXT_SIZE]);

/* "512 B", "1.00 KiB", "64.0 MiB". */
char *units_format_bytes(uint64_t bytes, char ret_text[UNITS_TEXT_SIZE]);

#endif
