/* Records of single items; see record.h. */
#include "common/base/record.h"

#include <string.h>

/* Where each member stands in the head. Bytes 44 to 47 are zeros. */
enum {
    AT_STATUS = 0,
    AT_FLAGS = 1,
    AT_EXIT = 2,
    AT_SIGNAL = 3,
    AT_START = 8,
    AT_RUN = 16,
    AT_VALUE = 24,
    AT_OUT_LEN = 32,
    AT_ERR_LEN = 36,
    AT_REASON_LEN = 40,
    REASON_MAX = 4096,
};

static void put_u32(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (unsigned char)(value >> (8 * i));
    }
}

static void put_u64(unsigned char *at, uint64_t value)
{
    put_u32(at, (uint32_t)value);
    put_u32(at + 4, (uint32_t)(value >> 32));
}

static uint32_t get_u32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t get_u64(const unsigned char *at)
{
    return (uint64_t)get_u32(at) | (uint64_t)get_u32(at + 4) << 32;
}

static uint32_t cut(uint32_t len, uint32_t max)
{
    return len < max ? len : max;
}

size_t record_size(const struct record *record)
{
    return (size_t)RECORD_HEAD_SIZE + cut(record->out_len, RECORD_OUTPUT_MAX) +
           cut(record->err_len, RECORD_OUTPUT_MAX) + cut(record->reason_len, REASON_MAX);
}

static unsigned char *put_bytes(unsigned char *at, const char *bytes, uint32_t len)
{
    if (len > 0) {
        memcpy(at, bytes, len);
    }
    return at + len;
}

void record_write(const struct record *record, void *to)
{
    unsigned char *at = to;
    uint32_t out_len = cut(record->out_len, RECORD_OUTPUT_MAX);
    uint32_t err_len = cut(record->err_len, RECORD_OUTPUT_MAX);
    uint32_t reason_len = cut(record->reason_len, REASON_MAX);
    memset(at, 0, RECORD_HEAD_SIZE);
    at[AT_STATUS] = record->status;
    at[AT_FLAGS] = (unsigned char)(record->flags |
                                   (out_len < record->out_len ? RECORD_OUT_TRUNCATED : 0) |
                                   (err_len < record->err_len ? RECORD_ERR_TRUNCATED : 0));
    at[AT_EXIT] = record->exit_status;
    at[AT_SIGNAL] = record->signal;
    put_u64(at + AT_START, record->start_us);
    put_u64(at + AT_RUN, record->run_us);
    put_u64(at + AT_VALUE, record->value);
    put_u32(at + AT_OUT_LEN, out_len);
    put_u32(at + AT_ERR_LEN, err_len);
    put_u32(at + AT_REASON_LEN, reason_len);
    at = put_bytes(at + RECORD_HEAD_SIZE, record->out, out_len);
    at = put_bytes(at, record->err, err_len);
    (void)put_bytes(at, record->reason, reason_len);
}

/* The record at `at`, of which `len` bytes are there; false when it is not whole. */
static bool read_record(const char *bytes, size_t len, struct record *ret_record)
{
    const unsigned char *at = (const unsigned char *)bytes;
    if (len < RECORD_HEAD_SIZE) {
        return false;
    }
    *ret_record = (struct record){
        .status = at[AT_STATUS],
        .flags = at[AT_FLAGS],
        .exit_status = at[AT_EXIT],
        .signal = at[AT_SIGNAL],
        .start_us = get_u64(at + AT_START),
        .run_us = get_u64(at + AT_RUN),
        .value = get_u64(at + AT_VALUE),
        .out_len = get_u32(at + AT_OUT_LEN),
        .err_len = get_u32(at + AT_ERR_LEN),
        .reason_len = get_u32(at + AT_REASON_LEN),
    };
    if (ret_record->out_len > RECORD_OUTPUT_MAX || ret_record->err_len > RECORD_OUTPUT_MAX ||
        ret_record->reason_len > REASON_MAX) {
        return false;
    }
    ret_record->out = bytes + RECORD_HEAD_SIZE;
    ret_record->err = ret_record->out + ret_record->out_len;
    ret_record->reason = ret_record->err + ret_record->err_len;
    return record_size(ret_record) <= len;
}

bool records_valid(const void *bytes, size_t len, uint64_t count)
{
    const char *at = bytes;
    const uint8_t known = RECORD_OUT_TRUNCATED | RECORD_ERR_TRUNCATED | RECORD_HAS_VALUE;
    for (uint64_t i = 0; i < count; i++) {
        struct record record;
        if (!read_record(at, len, &record) || record.status > RECORD_CRASHED ||
            (record.flags & ~known) != 0) {
            return false;
        }
        at += record_size(&record);
        len -= record_size(&record);
    }
    return len == 0;
}

void record_cursor_init(struct record_cursor *cursor, const void *bytes, uint64_t count)
{
    cursor->next = bytes;
    cursor->left = count;
}

bool record_cursor_next(struct record_cursor *cursor, struct record *ret_record)
{
    if (cursor->left == 0 || !read_record(cursor->next, SIZE_MAX, ret_record)) {
        return false;
    }
    cursor->next += record_size(ret_record);
    cursor->left--;
    return true;
}
