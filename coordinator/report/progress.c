#include "coordinator/report/progress.h"

#include "common/io/text.h"
#include "coordinator/report/terminal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    LABEL_SIZE = 64,
    LABEL_COLUMNS =
        22, /* labels are padded to this where there is room, so that bars stand below each other */
    ROOMY_WIDTH = 70,
    WIDTH_DEFAULT = 80,
    BAR_MIN = 5,
    BAR_MAX = 60,
    LINE_SIZE = 1024,
    REDRAW_US = 50000, /* 20 times a second */
};

struct progress {
    FILE *stream;
    bool enabled;
    bool blocks; /* the terminal shows UTF-8 */
    int (*width_of)(FILE *stream);
    char label[LABEL_SIZE];
    uint64_t total; /* 0: unknown */
    uint64_t done;
    uint64_t begun_us;
    uint64_t drawn_us;
    bool in_work; /* between begin and end */
    bool visible; /* the line on the terminal is ours */
};

/* How much of the line there is room for; each level leaves more out. */
enum detail {
    DETAIL_ALL,
    DETAIL_NO_RATE,
    DETAIL_NO_TIME,
    DETAIL_NO_BAR,
    DETAIL_PERCENT,
    DETAIL_COUNT
};

struct progress *progress_new(FILE *stream, bool enabled, int (*width_of)(FILE *stream))
{
    struct progress *progress = calloc(1, sizeof(*progress));
    if (progress == NULL) {
        return NULL;
    }
    progress->stream = stream;
    progress->enabled = enabled;
    progress->blocks = terminal_is_utf8();
    progress->width_of = width_of != NULL ? width_of : terminal_width;
    return progress;
}

bool progress_possible(FILE *stream)
{
    return terminal_is_able(stream);
}

/* ---- the parts of the line ---- */

static double elapsed_s(const struct progress *progress, uint64_t now_us)
{
    return now_us > progress->begun_us ? (double)(now_us - progress->begun_us) / 1e6 : 0;
}

/* "01:05", or "2:01:05" from an hour on. */
static void append_clock(char *line, double seconds)
{
    uint64_t whole = seconds < 1e15 ? (uint64_t)seconds : 0;
    uint64_t hours = whole / 3600;
    if (hours > 0) {
        text_append(line, LINE_SIZE, "%" PRIu64 ":", hours);
    }
    text_append(line, LINE_SIZE, "%02" PRIu64 ":%02" PRIu64, whole / 60 % 60, whole % 60);
}

/* Three digits and a unit of a thousand: "79.6", "10.2M". */
static void append_scaled(char *line, double value)
{
    static const char *const suffixes[] = {"", "k", "M", "G", "T"};
    size_t i = 0;
    while (value >= 999.5 && i + 1 < sizeof(suffixes) / sizeof(suffixes[0])) {
        value /= 1000;
        i++;
    }
    int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    text_append(line, LINE_SIZE, "%.*f%s", decimals, value, suffixes[i]);
}

/* Counts up to 99,999 in full. */
static void append_count(char *line, uint64_t count)
{
    if (count < 100000) {
        text_append(line, LINE_SIZE, "%" PRIu64, count);
    } else {
        append_scaled(line, (double)count);
    }
}

/* Items a second, or seconds an item when that is above one; "?" before there is anything to
 * divide. */
static void append_rate(char *line, double done, double seconds)
{
    if (done <= 0 || seconds <= 0) {
        text_append(line, LINE_SIZE, "? items/s");
    } else if (done >= seconds) {
        append_scaled(line, done / seconds);
        text_append(line, LINE_SIZE, " items/s");
    } else {
        append_scaled(line, seconds / done);
        text_append(line, LINE_SIZE, " s/item");
    }
}

/* "| 40/64 [00:00<00:00, 79.6 items/s]", as far as `detail` has room. */
static void append_tail(const struct progress *progress,
                        enum detail detail,
                        uint64_t now_us,
                        char *line)
{
    double seconds = elapsed_s(progress, now_us);
    append_count(line, progress->done);
    if (progress->total > 0) {
        text_append(line, LINE_SIZE, "/");
        append_count(line, progress->total);
    } else {
        text_append(line, LINE_SIZE, " items");
    }
    if (detail >= DETAIL_NO_TIME) {
        return;
    }
    text_append(line, LINE_SIZE, " [");
    append_clock(line, seconds);
    if (progress->total > 0 && progress->done > 0) {
        double left = (double)(progress->total - progress->done) * seconds / (double)progress->done;
        text_append(line, LINE_SIZE, "<");
        append_clock(line, left);
    } else if (progress->total > 0) {
        text_append(line, LINE_SIZE, "<?");
    }
    if (detail < DETAIL_NO_RATE) {
        text_append(line, LINE_SIZE, ", ");
        append_rate(line, (double)progress->done, seconds);
    }
    text_append(line, LINE_SIZE, "]");
}

/* `columns` wide, filled to `share` in steps of an eighth (of a whole column without UTF-8). */
static void append_bar(const struct progress *progress, size_t columns, double share, char *line)
{
    static const char *const eighths[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    size_t filled = (size_t)(share * (double)columns * 8);
    for (size_t i = 0; i < columns; i++) {
        size_t here = filled > i * 8 ? filled - i * 8 : 0;
        if (here >= 8) {
            text_append(line, LINE_SIZE, "%s", progress->blocks ? "█" : "#");
        } else {
            text_append(line, LINE_SIZE, "%s", progress->blocks ? eighths[here] : " ");
        }
    }
}

/* ---- the line ---- */

static void render_unknown(const struct progress *progress,
                           enum detail detail,
                           uint64_t now_us,
                           char *line)
{
    text_append(line, LINE_SIZE, "  ");
    append_tail(progress, detail, now_us, line);
}

/* The line at one level of detail. Returns whether it fits into `width` columns. */
static bool render_at(const struct progress *progress,
                      enum detail detail,
                      uint64_t now_us,
                      size_t width,
                      char line[LINE_SIZE])
{
    char tail[LINE_SIZE] = "";
    int pad = width >= ROOMY_WIDTH ? LABEL_COLUMNS : 0;
    line[0] = '\0';
    text_append(line, LINE_SIZE, "%-*s", pad, progress->label);
    if (progress->total == 0) {
        render_unknown(progress, detail, now_us, line);
        return text_columns(line) <= width;
    }
    double share = (double)progress->done / (double)progress->total;
    text_append(line, LINE_SIZE, " %3d%%", (int)(share * 100));
    if (detail == DETAIL_PERCENT) {
        return text_columns(line) <= width;
    }
    append_tail(progress, detail, now_us, tail);
    if (detail == DETAIL_NO_BAR) {
        text_append(line, LINE_SIZE, " %s", tail);
        return text_columns(line) <= width;
    }
    size_t used = text_columns(line) + text_columns(tail) + strlen("|| ");
    if (used + BAR_MIN > width) {
        return false;
    }
    size_t bar = width - used < BAR_MAX ? width - used : BAR_MAX;
    text_append(line, LINE_SIZE, "|");
    append_bar(progress, bar, share, line);
    text_append(line, LINE_SIZE, "| %s", tail);
    return true;
}

/* The label gives way to what moves. */
static void render_cut(const struct progress *progress, size_t width, char line[LINE_SIZE])
{
    char tail[LINE_SIZE] = "";
    if (progress->total > 0) {
        double share = (double)progress->done / (double)progress->total;
        text_append(tail, LINE_SIZE, " %3d%%", (int)(share * 100));
    } else {
        text_append(tail, LINE_SIZE, " ");
        append_count(tail, progress->done);
    }
    size_t tail_columns = text_columns(tail);
    line[0] = '\0';
    text_append(line, LINE_SIZE, "%s", progress->label);
    text_truncate(line, width > tail_columns ? width - tail_columns : 0);
    text_append(line, LINE_SIZE, "%s", tail);
    text_truncate(line, width);
}

static void render(const struct progress *progress,
                   uint64_t now_us,
                   size_t width,
                   char line[LINE_SIZE])
{
    for (int detail = 0; detail < DETAIL_COUNT; detail++) {
        if (render_at(progress, (enum detail)detail, now_us, width, line)) {
            return;
        }
    }
    render_cut(progress, width, line);
}

static void draw(struct progress *progress, uint64_t now_us, const char *ending)
{
    char line[LINE_SIZE];
    int width = progress->width_of(progress->stream);
    /* The last column stays free: some terminals begin a new line as soon as it is written. */
    size_t columns = width > 0 ? (size_t)width - 1 : WIDTH_DEFAULT - 1;
    render(progress, now_us, columns, line);
    (void)fprintf(progress->stream, "\r%s\033[K%s", line, ending);
    (void)fflush(progress->stream);
    progress->drawn_us = now_us;
    progress->visible = ending[0] == '\0';
}

static void wipe(struct progress *progress)
{
    if (progress->visible) {
        (void)fputs("\r\033[K", progress->stream);
        (void)fflush(progress->stream);
        progress->visible = false;
    }
}

/* ---- calls ---- */

/* A bar that is beyond its total was told too small a one. */
static void set_done(struct progress *progress, uint64_t done)
{
    progress->done = done;
    if (progress->total > 0 && done > progress->total) {
        progress->total = done;
    }
}

void progress_begin(struct progress *progress, const char *label, uint64_t total, uint64_t now_us)
{
    if (!progress->enabled) {
        return;
    }
    (void)snprintf(progress->label, sizeof(progress->label), "%s", label);
    progress->total = total;
    progress->done = 0;
    progress->begun_us = now_us;
    progress->in_work = true;
    draw(progress, now_us, "");
}

void progress_update(struct progress *progress, uint64_t done, uint64_t total, uint64_t now_us)
{
    if (!progress->enabled || !progress->in_work) {
        return;
    }
    progress->total = total;
    set_done(progress, done);
    if (!progress->visible || now_us >= progress->drawn_us + REDRAW_US) {
        draw(progress, now_us, "");
    }
}

void progress_end(struct progress *progress, uint64_t done, uint64_t now_us, bool keep)
{
    if (!progress->enabled || !progress->in_work) {
        return;
    }
    set_done(progress, done);
    progress->in_work = false;
    if (keep) {
        draw(progress, now_us, "\n");
    } else {
        wipe(progress);
    }
}

void progress_clear(struct progress *progress)
{
    if (progress->enabled) {
        wipe(progress);
    }
}

void progress_free(struct progress *progress)
{
    free(progress);
}
