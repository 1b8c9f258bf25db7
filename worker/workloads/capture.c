#include "worker/workloads/capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    FIRST_CAPACITY = 8 * 1024,
    GROWTH = 8,
    ROOM_MIN = 4 * 1024, /* with less room for it a read is not worth its cost */
    SCRAP_SIZE = 64 * 1024,
};

void capture_deinit(struct capture *capture)
{
    free(capture->bytes);
    *capture = (struct capture){.limit = capture->limit};
}

void capture_begin(struct capture *capture)
{
    if (capture->capacity > CAPTURE_KEEP_MAX) {
        free(capture->bytes);
        capture->bytes = NULL;
        capture->capacity = 0;
    }
    capture->len = 0;
    capture->total = 0;
    capture->tail_len = 0;
}

/* Without memory nothing more is kept: capture_is_short. */
static void grow(struct capture *capture)
{
    size_t capacity = capture->capacity == 0 ? FIRST_CAPACITY : capture->capacity * GROWTH;
    capacity = capacity < capture->limit ? capacity : capture->limit;
    char *bytes = realloc(capture->bytes, capacity);
    if (bytes != NULL) {
        capture->bytes = bytes;
        capture->capacity = capacity;
    }
}

static void keep_tail(struct capture *capture, const char *bytes, size_t len)
{
    if (len >= CAPTURE_TAIL_MAX) {
        memcpy(capture->tail, bytes + len - CAPTURE_TAIL_MAX, CAPTURE_TAIL_MAX);
        capture->tail_len = CAPTURE_TAIL_MAX;
        return;
    }
    size_t room = CAPTURE_TAIL_MAX - len;
    size_t kept = capture->tail_len < room ? capture->tail_len : room;
    memmove(capture->tail, capture->tail + capture->tail_len - kept, kept);
    memcpy(capture->tail + kept, bytes, len);
    capture->tail_len = kept + len;
}

static ssize_t read_up_to(struct capture *capture, int fd, size_t max)
{
    bool whole = !capture_is_cut(capture); /* behind a hole nothing is kept */
    if (whole && capture->capacity - capture->len < ROOM_MIN &&
        capture->capacity < capture->limit) {
        grow(capture);
    }
    size_t room = whole ? capture->capacity - capture->len : 0;
    if (room > 0) {
        ssize_t got = read(fd, capture->bytes + capture->len, room < max ? room : max);
        capture->len += got > 0 ? (size_t)got : 0;
        capture->total += got > 0 ? (size_t)got : 0;
        return got;
    }
    char scrap[SCRAP_SIZE];
    ssize_t got = read(fd, scrap, sizeof(scrap) < max ? sizeof(scrap) : max);
    if (got > 0) {
        capture->total += (size_t)got;
        keep_tail(capture, scrap, (size_t)got);
    }
    return got;
}

bool capture_read(struct capture *capture, int fd)
{
    ssize_t got = read_up_to(capture, fd, SIZE_MAX);
    return got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN));
}

void capture_drain(struct capture *capture, int fd)
{
    int waiting = 0;
    if (ioctl(fd, FIONREAD, &waiting) != 0) {
        return;
    }
    for (size_t left = (size_t)waiting; left > 0;) {
        ssize_t got = read_up_to(capture, fd, left);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return;
        }
        left -= got > 0 ? (size_t)got : 0;
    }
}

bool capture_is_cut(const struct capture *capture)
{
    return capture->total > capture->len;
}

bool capture_is_short(const struct capture *capture)
{
    return capture_is_cut(capture) && capture->len < capture->limit;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

char *capture_last_line(const struct capture *capture, char *ret_line, size_t size)
{
    /* What was dropped came last. */
    bool cut = capture_is_cut(capture);
    const char *bytes = cut ? capture->tail : capture->bytes;
    size_t end = cut ? capture->tail_len : capture->len;
    while (end > 0 && is_blank(bytes[end - 1])) {
        end--;
    }
    const char *newline = end > 0 ? memrchr(bytes, '\n', end) : NULL;
    size_t begin = newline == NULL ? 0 : (size_t)(newline - bytes) + 1;
    while (begin < end && is_blank(bytes[begin])) {
        begin++;
    }
    size_t len = end - begin < size - 1 ? end - begin : size - 1;
    /* Not within a character: continuation bytes of UTF-8 are 10xxxxxx. */
    while (len > 0 && len < end - begin && ((unsigned char)bytes[begin + len] & 0xC0U) == 0x80U) {
        len--;
    }
    for (size_t i = 0; i < len; i++) {
        ret_line[i] = bytes[begin + i];
        if (ret_line[i] == '\0') {
            ret_line[i] = '?';
        }
    }
    ret_line[len] = '\0';
    return ret_line;
}
