#include "common/base/units.h"

#include "common/base/err.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* strtod, strtoull and printf's %f follow the locale, skip leading spaces and take signs and hexadecimal; none of that is wanted. */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The decimal number that `*text` starts with; moves `*text` behind it. False: no digit there, or more than 64 bits. */
static bool read_u64(const char **text, uint64_t *ret_value)
{
    const char *at = *text;
    uint64_t value = 0;
    for (; is_digit(*at); at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    if (at == *text) {
        return false;
    }
    *text = at;
    *ret_value = value;
    return true;
}

int units_parse_u64(const char *text, uint64_t max, uint64_t *ret_value)
{
    uint64_t value;
    if (!read_u64(&text, &value) || *text != '\0' || value > max) {
        return ERR_INVALID;
    }
    *ret_value = value;
    return 0;
}

/* `mantissa` x 10^`exponent`. Exactly rounded for what people write (under 2^53 and |exponent| under 23: both factors are then exact
 * and one operation rounds); within a few units in the last place otherwise. */
static double scale_ten(double mantissa, int exponent)
{
    double power = 1;
    for (int i = exponent < 0 ? -exponent : exponent; i > 0; i--) {
        power *= 10;
    }
    return exponent < 0 ? mantissa / power : mantissa * power;
}

/* The digits of a mantissa, up to the 19 that fit 64 bits; further ones only move the exponent. Returns how many digits there were. */
static int read_digits(const char **text, bool fraction, uint64_t *mantissa, int *exponent)
{
    const char *start = *text;
    const char *at = start;
    for (; is_digit(*at) && at - start < 400; at++) {
        bool fits = *mantissa < UINT64_MAX / 10 - 1;
        if (fits) {
            *mantissa = *mantissa * 10 + (uint64_t)(*at - '0');
        }
        *exponent += (fits ? 0 : 1) - (fraction ? 1 : 0);
    }
    *text = at;
    return (int)(at - start);
}

/* "e-3" and the like; moves `*text` behind it, or leaves it when there is no exponent. */
static void read_exponent(const char **text, int *exponent)
{
    const char *at = *text;
    if (*at != 'e' && *at != 'E') {
        return;
    }
    at++;
    bool negative = *at == '-';
    if (*at == '-' || *at == '+') {
        at++;
    }
    uint64_t value;
    if (read_u64(&at, &value) && value <= 300) {
        *exponent += negative ? -(int)value : (int)value;
        *text = at;
    }
}

static bool read_decimal(const char **text, double *ret_value)
{
    uint64_t mantissa = 0;
    int exponent = 0;
    int digits = read_digits(text, false, &mantissa, &exponent);
    if (**text == '.') {
        (*text)++;
        digits += read_digits(text, true, &mantissa, &exponent);
    }
    if (digits == 0) {
        return false;
    }
    read_exponent(text, &exponent);
    *ret_value = scale_ten((double)mantissa, exponent);
    return true;
}

int units_parse_seconds(const char *text, double max, double *ret_seconds)
{
    /* Divisors and factors rather than 1e-3, which is not exact: "100ms" is then the same double as "0.1". */
    static const struct {
        const char *suffix;
        double factor;
        double divisor;
    } units[] = {
        {"", 1, 1}, {"us", 1, 1e6}, {"ms", 1, 1e3}, {"s", 1, 1}, {"m", 60, 1}, {"h", 3600, 1}};

    double value;
    if (!read_decimal(&text, &value)) {
        return ERR_INVALID;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text, units[i].suffix) != 0) {
            continue;
        }
        double seconds = value * units[i].factor / units[i].divisor;
        if (!(seconds <= max) || seconds > 1e300) {
            return ERR_INVALID;
        }
        *ret_seconds = seconds;
        return 0;
    }
    return ERR_INVALID;
}

/* One number of a wall time, at most two digits unless it is the first; moves `*text` behind it. */
static bool read_clock(const char **text, bool first, uint64_t below, uint64_t *ret_value)
{
    const char *start = *text;
    return read_u64(text, ret_value) && (first || (*text - start == 2 && *ret_value < below));
}

int units_parse_wall_time(const char *text, double max, double *ret_seconds)
{
    const char *at = text;
    uint64_t days = 0;
    uint64_t value;
    if (strchr(text, ':') == NULL) {
        return units_parse_seconds(text, max, ret_seconds);
    }
    bool has_days = strchr(text, '-') != NULL;
    if (has_days && (!read_u64(&at, &days) || *at++ != '-')) {
        return ERR_INVALID;
    }
    double seconds = 0;
    int count = 0;
    for (bool more = true; more; count++) {
        if (!read_clock(&at, count == 0 && !has_days, count == 0 ? 24 : 60, &value)) {
            return ERR_INVALID;
        }
        seconds = seconds * 60 + (double)value;
        more = *at == ':';
        at += more ? 1 : 0;
    }
    seconds += (double)days * 86400;
    bool whole = *at == '\0' && (has_days ? count == 3 : count == 2 || count == 3);
    if (!whole || !(seconds <= max)) {
        return ERR_INVALID;
    }
    *ret_seconds = seconds;
    return 0;
}

int units_parse_bytes(const char *text, uint64_t max, uint64_t *ret_bytes)
{
    static const struct {
        const char *suffix;
        uint64_t factor;
    } units[] = {{"", 1},
                 {"k", 1000},
                 {"M", 1000000},
                 {"G", 1000000000},
                 {"Ki", UINT64_C(1) << 10},
                 {"Mi", UINT64_C(1) << 20},
                 {"Gi", UINT64_C(1) << 30}};

    uint64_t value;
    if (!read_u64(&text, &value)) {
        return ERR_INVALID;
    }
    size_t len = strlen(text);
    if (len > 0 && text[len - 1] == 'B') {
        len--;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strlen(units[i].suffix) != len || strncmp(text, units[i].suffix, len) != 0) {
            continue;
        }
        if (value > max / units[i].factor) {
            return ERR_INVALID;
        }
        *ret_bytes = value * units[i].factor;
        return 0;
    }
    return ERR_INVALID;
}

/* Three significant digits of a value up to 1023, and the unit; of one below 0.1 three decimals. */
static char *format_three(double value, const char *unit, char ret_text[UNITS_TEXT_SIZE])
{
    int decimals = value < 0.9995 ? 3 : value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    uint64_t power = 1;
    for (int i = 0; i < decimals; i++) {
        power *= 10;
    }
    uint64_t scaled = (uint64_t)(value * (double)power + 0.5);
    if (decimals == 0) {
        (void)snprintf(ret_text, UNITS_TEXT_SIZE, "%" PRIu64 " %s", scaled, unit);
    } else {
        (void)snprintf(ret_text,
                       UNITS_TEXT_SIZE,
                       "%" PRIu64 ".%0*" PRIu64 " %s",
                       scaled / power,
                       decimals,
                       scaled % power,
                       unit);
    }
    return ret_text;
}

/* From 100 s on: whole seconds, from an hour on whole minutes. */
static char *format_long(double seconds, char ret_text[UNITS_TEXT_SIZE])
{
    uint64_t whole = (uint64_t)(seconds + 0.5);
    if (whole < 3600) {
        (void)snprintf(
            ret_text, UNITS_TEXT_SIZE, "%" PRIu64 "m %02" PRIu64 "s", whole / 60, whole % 60);
    } else {
        uint64_t minutes = (whole + 30) / 60;
        (void)snprintf(
            ret_text, UNITS_TEXT_SIZE, "%" PRIu64 "h %02" PRIu64 "m", minutes / 60, minutes % 60);
    }
    return ret_text;
}

static char *format_positive(double seconds, char ret_text[UNITS_TEXT_SIZE])
{
    /* Each limit is where the next unit's rounding begins, so that "1000 us" is never written. */
    if (seconds < 0.0009995) {
        return format_three(seconds * 1e6, "us", ret_text);
    }
    if (seconds < 0.09995) {
        return format_three(seconds * 1e3, "ms", ret_text);
    }
    if (seconds < 99.95) {
        return format_three(seconds, "s", ret_text);
    }
    return format_long(seconds, ret_text);
}

char *units_format_seconds(double seconds, char ret_text[UNITS_TEXT_SIZE])
{
    if (!(seconds > -1e15 && seconds < 1e15)) {
        (void)snprintf(ret_text, UNITS_TEXT_SIZE, "?");
    } else if (seconds < 0) {
        char positive[UNITS_TEXT_SIZE];
        (void)format_positive(-seconds, positive);
        (void)snprintf(ret_text, UNITS_TEXT_SIZE, "-%.*s", UNITS_TEXT_SIZE - 2, positive);
    } else if (seconds > 0) {
        (void)format_positive(seconds, ret_text);
    } else {
        (void)snprintf(ret_text, UNITS_TEXT_SIZE, "0 s");
    }
    return ret_text;
}

char *units_format_exact(uint64_t count, char ret_text[UNITS_TEXT_SIZE])
{
    char digits[UNITS_TEXT_SIZE];
    size_t len = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, count);
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) {
            ret_text[used++] = ',';
        }
        ret_text[used++] = digits[i];
    }
    ret_text[used] = '\0';
    return ret_text;
}

char *units_format_count(uint64_t count, char ret_text[UNITS_TEXT_SIZE])
{
    static const char *const units[] = {"k", "M", "G", "T", "P", "E"};
    if (count < 1000) {
        (void)snprintf(ret_text, UNITS_TEXT_SIZE, "%" PRIu64, count);
        return ret_text;
    }
    if (count < 100000) {
        (void)snprintf(
            ret_text, UNITS_TEXT_SIZE, "%" PRIu64 ",%03" PRIu64, count / 1000, count % 1000);
        return ret_text;
    }
    double value = (double)count / 1e3;
    size_t unit = 0;
    while (value >= 999.5) {
        value /= 1e3;
        unit++;
    }
    return format_three(value, units[unit], ret_text);
}

char *units_format_rate(double per_second, char ret_text[UNITS_TEXT_SIZE])
{
    if (!(per_second >= 0)) {
        (void)snprintf(ret_text, UNITS_TEXT_SIZE, "?");
    } else if (per_second < 999.5 || per_second >= 1e18) { /* or whatever somebody else says */
        (void)snprintf(ret_text, UNITS_TEXT_SIZE, "%.3g", per_second);
    } else {
        (void)units_format_count((uint64_t)(per_second + 0.5), ret_text);
    }
    return ret_text;
}

char *units_format_bytes(uint64_t bytes, char ret_text[UNITS_TEXT_SIZE])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        (void)snprintf(ret_text, UNITS_TEXT_SIZE, "%" PRIu64 " B", bytes);
        return ret_text;
    }
    double value = (double)bytes / 1024;
    size_t unit = 0;
    while (value >= 1023.5) {
        value /= 1024;
        unit++;
    }
    return format_three(value, units[unit], ret_text);
}
