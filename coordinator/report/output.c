#include "coordinator/report/output.h"

#include "coordinator/report/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void output_now(char *ret_text, size_t size)
{
    time_t now = time(NULL);
    struct tm parts;
    (void)gmtime_r(&now, &parts);
    (void)strftime(ret_text, size, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static bool is_stdout(const char *path)
{
    return path != NULL && strcmp(path, "-") == 0;
}

/* Of standard output nothing is said then, and the command ends as by SIGPIPE. */
static bool reader_left(const FILE *stream)
{
    return stream == stdout && errno == EPIPE;
}

static int write_file(const struct report *report,
                      const char *path,
                      int (*write)(const struct report *report, FILE *stream))
{
    if (path == NULL) {
        return 0;
    }
    FILE *stream = is_stdout(path) ? stdout : fopen(path, "w");
    int rc = stream == NULL ? ERR_IO : write(report, stream);
    if (rc == 0 && fflush(stream) != 0) {
        rc = ERR_IO;
    }
    if (rc != 0 && !reader_left(stream)) {
        (void)fprintf(stderr, "quartet: cannot write '%s': %s\n", path, strerror(errno));
    }
    if (stream != NULL && stream != stdout && fclose(stream) != 0 && rc == 0) {
        (void)fprintf(stderr, "quartet: cannot write '%s': %s\n", path, strerror(errno));
        rc = ERR_IO;
    }
    return rc;
}

int output_files(const struct report *report, const struct options *options)
{
    int json = write_file(report, options->json, report_write_json);
    int csv = write_file(report, options->csv, report_write_csv);
    int markdown = write_file(report, options->markdown, report_write_markdown);
    return json != 0 || csv != 0 || markdown != 0 ? ERR_IO : 0;
}

int output_report(const struct report *report, const struct options *options)
{
    bool taken = is_stdout(options->json) || is_stdout(options->csv) ||
                 is_stdout(options->markdown);
    FILE *stream = taken ? stderr : stdout;
    int rc = report_write_table(
        report, stream, terminal_wants_color(stream), terminal_width(stream));
    if (rc == 0 && fflush(stream) != 0) {
        rc = ERR_IO;
    }
    if (rc != 0 && !reader_left(stream)) {
        (void)fprintf(stderr, "quartet: cannot write the table: %s\n", strerror(errno));
    }
    return output_files(report, options) != 0 ? ERR_IO : rc;
}
