/* A buffered file of whole items; see sink_file.h. */
#include "coordinator/sink/sink_file.h"

#include "common/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { POLL_MS = 100, BITS = 64 };

_Static_assert(SINK_FILE_BUFFER_BYTES - SINK_FILE_WRITE_BYTES >= SINK_TEXT_ROOM_MAX,
               "an item that begins below the mark seldom has to be written in two parts");

static void drain(struct sink_text *text)
{
    /* `text` is the buffer's first member. */
    sink_file_flush(((struct sink_file_buffer *)text)->file);
}

_Static_assert(offsetof(struct sink_file_buffer, text) == 0, "drain finds the buffer by its text");

void sink_file_buffer_init(struct sink_file_buffer *buffer)
{
    memset(buffer->ends, 0, sizeof(buffer->ends));
    buffer->file = NULL;
    buffer->text = (struct sink_text){
        .bytes = buffer->bytes,
        .size = sizeof(buffer->bytes),
        .drain = drain,
    };
}

static enum sink_file_kind kind_of(int fd, mode_t mode)
{
    if (S_ISREG(mode)) {
        return SINK_FILE_REGULAR;
    }
    if (S_ISSOCK(mode)) {
        return SINK_FILE_SOCKET;
    }
    return S_ISFIFO(mode) || isatty(fd) != 0 ? SINK_FILE_PIPE : SINK_FILE_DEVICE;
}

int sink_file_init(struct sink_file *file,
                   const char *name,
                   int fd,
                   struct sink_file_buffer *buffer,
                   const atomic_bool *give_up,
                   struct err_text *ret_error)
{
    struct stat status;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fstat(fd, &status) != 0) {
        return err_set(ret_error, ERR_IO, "cannot write %s: %s", name, strerror(errno));
    }
    off_t start = (flags & O_APPEND) != 0 ? status.st_size : lseek(fd, 0, SEEK_CUR);
    *file = (struct sink_file){
        .name = name,
        .fd = fd,
        .kind = kind_of(fd, status.st_mode),
        .start = start > 0 ? (uint64_t)start : 0,
        .buffer = buffer,
        .give_up = give_up,
    };
    return 0;
}

struct sink_text *sink_file_text(struct sink_file *file)
{
    struct sink_file_buffer *buffer = file->buffer;
    if (buffer->file != file) {
        if (buffer->file != NULL) {
            sink_file_flush(buffer->file);
        }
        buffer->file = file;
    }
    return &buffer->text;
}

/* Where the last item ends among the first `len` bytes of the buffer; -1: none does. */
static ssize_t last_end(const struct sink_file_buffer *buffer, size_t len)
{
    for (size_t word = len / BITS + 1; word-- > 0;) {
        uint64_t bits = buffer->ends[word];
        if (word == len / BITS) {
            bits &= UINT64_MAX >> (BITS - 1 - len % BITS);
        }
        if (bits != 0) {
            return (ssize_t)(word * BITS + BITS - 1) - __builtin_clzll(bits);
        }
    }
    return -1;
}

/* Take the part of an item off the end. Only when the end is ours: others may write to what
 * standard output is, and their words are not ours to cut. */
static void cut_back(struct sink_file *file)
{
    off_t end = (off_t)(file->start + file->written);
    off_t whole = (off_t)(file->start + file->whole);
    struct stat status;
    if (file->kind != SINK_FILE_REGULAR || whole == end || fstat(file->fd, &status) != 0 ||
        status.st_size != end) {
        return;
    }
    if (ftruncate(file->fd, whole) == 0) {
        (void)lseek(file->fd, whole, SEEK_SET); /* whoever shares the offset goes on there */
        file->written = file->whole;
    }
}

static bool wait_writable(const struct sink_file *file)
{
    struct pollfd pollfd = {.fd = file->fd, .events = POLLOUT};
    while (!atomic_load_explicit(file->give_up, memory_order_relaxed)) {
        if (poll(&pollfd, 1, POLL_MS) > 0) {
            return true;
        }
    }
    errno = ECANCELED;
    return false;
}

/* Write some of it. Returns how much, or -1 with errno.
 *
 * A pipe that is writable takes PIPE_BUF bytes without waiting, however small its reader's steps;
 * more at once could block for as long as the reader sleeps. O_NONBLOCK would do too, but standard
 * output is shared with processes that do not expect it. */
static ssize_t write_some(const struct sink_file *file, const char *bytes, size_t len)
{
    switch (file->kind) {
    case SINK_FILE_PIPE:
        len = len < PIPE_BUF ? len : PIPE_BUF;
        return wait_writable(file) ? write(file->fd, bytes, len) : -1;
    case SINK_FILE_SOCKET:
        return wait_writable(file) ? send(file->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) : -1;
    case SINK_FILE_REGULAR:
    case SINK_FILE_DEVICE:
    default:
        return write(file->fd, bytes, len);
    }
}

/* Write all of it, as far as that goes; returns how much was. */
static size_t write_all(struct sink_file *file, const char *bytes, size_t len)
{
    size_t at = 0;
    while (at < len && file->error == 0) {
        ssize_t n = write_some(file, bytes + at, len - at);
        if (n > 0) {
            at += (size_t)n;
        } else if (n == 0) {
            file->error = EIO; /* "cannot happen", and must not go round for ever */
        } else if (errno == EAGAIN) {
            file->error = wait_writable(file) ? 0 : errno;
        } else if (errno != EINTR) {
            file->error = errno;
        }
    }
    return at;
}

void sink_file_flush(struct sink_file *file)
{
    struct sink_file_buffer *buffer = file->buffer;
    if (buffer->file != file) {
        return;
    }
    size_t len = buffer->text.len;
    size_t done = write_all(file, buffer->bytes, len);
    if (len > 0) {
        ssize_t end = last_end(buffer, done);
        file->whole = end >= 0 ? file->written + (uint64_t)end : file->whole;
        file->written += done;
        if (done < len) {
            cut_back(file);
        }
    }
    memset(buffer->ends, 0, (len / BITS + 1) * sizeof(buffer->ends[0]));
    buffer->text.len = 0;
}

void sink_file_end_item(struct sink_file *file)
{
    struct sink_file_buffer *buffer = file->buffer;
    CHECK(buffer->file == file);
    size_t len = buffer->text.len;
    buffer->ends[len / BITS] |= UINT64_C(1) << (len % BITS);
    if (len >= SINK_FILE_WRITE_BYTES) {
        sink_file_flush(file);
    }
}

void sink_file_rewind(struct sink_file *file, uint64_t length)
{
    CHECK(file->kind == SINK_FILE_REGULAR && file->written == 0);
    if (ftruncate(file->fd, (off_t)length) != 0 || lseek(file->fd, (off_t)length, SEEK_SET) < 0) {
        file->error = errno;
        return;
    }
    file->start = length;
}

void sink_file_sync(struct sink_file *file)
{
    CHECK(file->kind == SINK_FILE_REGULAR);
    if (file->error != 0 || file->synced == file->written) {
        return;
    }
    if (fdatasync(file->fd) != 0) {
        file->error = errno;
        return;
    }
    file->synced = file->written;
}

void sink_file_close(struct sink_file *file)
{
    if (file->fd < 0) {
        return;
    }
    CHECK(file->buffer->file != file || file->buffer->text.len == 0);
    /* EINTR: Linux has closed it all the same. */
    if (close(file->fd) != 0 && errno != EINTR && file->error == 0) {
        file->error = errno;
        file->failed_late = true;
    }
    file->fd = -1;
}

int sink_file_error(const struct sink_file *file, struct err_text *ret_error)
{
    bool is_whole = file->kind == SINK_FILE_REGULAR && !file->failed_late;
    switch (file->error) {
    case 0:
        return 0;
    case ECANCELED:
        return err_set(ret_error,
                       ERR_CANCELLED,
                       "%s: its reader was not waited for; what it had not taken is lost",
                       file->name);
    case EPIPE:
        return err_set(ret_error, ERR_IO, "cannot write %s: its reader is gone", file->name);
    default:
        return err_set(ret_error,
                       ERR_IO,
                       "cannot write %s: %s%s",
                       file->name,
                       strerror(file->error),
                       is_whole ? "; it ends with the last whole item" : "");
    }
}
