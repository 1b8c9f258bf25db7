/* Bytes, numbers and times; see sink_text.h. What JSON needs is in sink_text_json.c. */
#include "coordinator/sink/sink_text.h"

enum {
    US_PER_S = 1000000,
    US_PER_MS = 1000,
    S_PER_DAY = 24 * 60 * 60,
};

/* 9999-12-31T23:59:59.999999Z */
static const uint64_t time_us_max = UINT64_C(253402300799999999);

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

void sink_text_put(struct sink_text *text, const char *bytes, size_t len)
{
    while (len > 0) {
        size_t part = len < SINK_TEXT_ROOM_MAX ? len : SINK_TEXT_ROOM_MAX;
        memcpy(sink_text_room(text, part), bytes, part);
        text->len += part;
        bytes += part;
        len -= part;
    }
}

/* `value`, below 100, in two digits. */
static char *put_pair(char *at, uint64_t value)
{
    memcpy(at, digit_pairs + 2 * value, 2);
    return at + 2;
}

/* `value` with leading zeros in `digits` digits. */
static char *put_fixed(char *at, uint64_t value, size_t digits)
{
    size_t left = digits;
    for (; left >= 2; left -= 2) {
        (void)put_pair(at + left - 2, value % 100);
        value /= 100;
    }
    if (left == 1) {
        *at = (char)('0' + value % 10);
    }
    return at + digits;
}

static char *put_u64(char *at, uint64_t value)
{
    char digits[SINK_TEXT_U64_SIZE];
    char *begin = digits + sizeof(digits);
    for (; value >= 100; value /= 100) {
        begin -= 2;
        (void)put_pair(begin, value % 100);
    }
    if (value >= 10) {
        begin -= 2;
        (void)put_pair(begin, value);
    } else {
        *--begin = (char)('0' + value);
    }
    size_t len = (size_t)(digits + sizeof(digits) - begin);
    memcpy(at, begin, len);
    return at + len;
}

void sink_text_put_u64(struct sink_text *text, uint64_t value)
{
    sink_text_end(text, put_u64(sink_text_room(text, SINK_TEXT_U64_SIZE), value));
}

void sink_text_put_seconds(struct sink_text *text, uint64_t us)
{
    char *at = put_u64(sink_text_room(text, SINK_TEXT_U64_SIZE + 7), us / US_PER_S);
    *at++ = '.';
    sink_text_end(text, put_fixed(at, us % US_PER_S, 6));
}

void sink_text_put_milliseconds(struct sink_text *text, uint64_t us, size_t width)
{
    char number[SINK_TEXT_U64_SIZE + 4];
    char *end = put_u64(number, us / US_PER_S);
    *end++ = '.';
    end = put_fixed(end, us % US_PER_S / US_PER_MS, 3);
    size_t len = (size_t)(end - number);
    size_t blanks = len < width ? width - len : 0;
    char *at = sink_text_room(text, blanks + len);
    memset(at, ' ', blanks);
    memcpy(at + blanks, number, len);
    text->len += blanks + len;
}

bool sink_text_has_time(uint64_t us)
{
    return us > 0 && us <= time_us_max;
}

/* Year, month and day of a day since 1970, by the civil calendar; Howard Hinnant, "chrono-
 * compatible low-level date algorithms" (civil_from_days). Years begin in March there, so that the
 * leap day comes last. gmtime_r would do, at ten times the cost. */
static char *put_date(char *at, uint64_t days)
{
    uint64_t z = days + 719468; /* since 0000-03-01 */
    uint64_t era = z / 146097;
    uint64_t day_of_era = z % 146097;
    uint64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t from_march = (5 * day_of_year + 2) / 153;
    uint64_t month = from_march < 10 ? from_march + 3 : from_march - 9;
    uint64_t year = era * 400 + year_of_era + (month <= 2);
    at = put_fixed(at, year, 4);
    *at++ = '-';
    at = put_pair(at, month);
    *at++ = '-';
    return put_pair(at, day_of_year - (153 * from_march + 2) / 5 + 1);
}

void sink_text_put_time(struct sink_text *text, uint64_t us)
{
    char *at = sink_text_room(text, sizeof("2026-11-24T18:50:23.000001Z") - 1);
    uint64_t second = us / US_PER_S % S_PER_DAY;
    at = put_date(at, us / US_PER_S / S_PER_DAY);
    *at++ = 'T';
    at = put_pair(at, second / 3600);
    *at++ = ':';
    at = put_pair(at, second / 60 % 60);
    *at++ = ':';
    at = put_pair(at, second % 60);
    *at++ = '.';
    at = put_fixed(at, us % US_PER_S, 6);
    *at++ = 'Z';
    sink_text_end(text, at);
}
