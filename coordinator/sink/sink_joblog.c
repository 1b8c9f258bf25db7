/* The job log in GNU Parallel's columns, for the scripts that read those (20221122, print_joblog).
 *
 * Like there, JobRuntime is padded to ten characters, a job that never came to an exit status of
 * its own has -1, and line breaks in the last column must not make a second row: here they are \n
 * and \r. Send is always 0: nobody copies files to the workers. */
#include "coordinator/sink/sink_format.h"

enum { RUNTIME_WIDTH = 10 };

static void put_header(struct sink_text *text)
{
    SINK_TEXT_PUT(text,
                  "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n");
}

/* A name with nothing in it that would end the column. */
static void put_host(struct sink_text *text, const char *worker)
{
    if (worker[0] == '\0') {
        sink_text_put_char(text, '-');
    }
    for (; *worker != '\0'; worker++) {
        unsigned char c = (unsigned char)*worker;
        sink_text_put_char(text, (char)(c < ' ' || c == 0x7f ? '?' : c));
    }
}

/* 0 of an item that failed without an exit status or a signal would look like success. */
static void put_exit(struct sink_text *text, const struct record *record)
{
    if (record->status != RECORD_OK && record->exit_status == 0 && record->signal == 0) {
        SINK_TEXT_PUT(text, "-1");
    } else {
        sink_text_put_u64(text, record->exit_status);
    }
}

static void put_line(struct sink_text *text, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] == '\n') {
            SINK_TEXT_PUT(text, "\\n");
        } else if (bytes[i] == '\r') {
            SINK_TEXT_PUT(text, "\\r");
        } else {
            sink_text_put_char(text, bytes[i]);
        }
    }
}

/* The command with the item for each {}, or behind it when there is none, as GNU Parallel does. */
static void put_command(struct sink_text *text, const char *command, const struct sink_item *item)
{
    char digits[SINK_TEXT_U64_SIZE];
    const char *bytes;
    size_t len;
    sink_item_text(item, digits, &bytes, &len);
    const char *hole = command != NULL ? strstr(command, "{}") : NULL;
    if (hole == NULL) {
        if (command != NULL) {
            put_line(text, command, strlen(command));
            sink_text_put_char(text, ' ');
        }
        put_line(text, bytes, len);
        return;
    }
    for (; hole != NULL; hole = strstr(command, "{}")) {
        put_line(text, command, (size_t)(hole - command));
        put_line(text, bytes, len);
        command = hole + 2;
    }
    put_line(text, command, strlen(command));
}

static void put_item(struct sink_text *text,
                     const struct sink_style *style,
                     const struct sink_item *item)
{
    const struct record *record = &item->record;
    sink_text_put_u64(text, item->index + 1);
    sink_text_put_char(text, '\t');
    put_host(text, item->worker);
    sink_text_put_char(text, '\t');
    sink_text_put_milliseconds(text, record->start_us, 0);
    sink_text_put_char(text, '\t');
    sink_text_put_milliseconds(text, record->run_us, RUNTIME_WIDTH);
    SINK_TEXT_PUT(text, "\t0\t");
    sink_text_put_u64(text, record->out_len);
    sink_text_put_char(text, '\t');
    put_exit(text, record);
    sink_text_put_char(text, '\t');
    sink_text_put_u64(text, record->signal);
    sink_text_put_char(text, '\t');
    put_command(text, style->command, item);
    sink_text_put_char(text, '\n');
}

const struct sink_format_ops sink_joblog_ops = {.name = "joblog",
                                                .put_header = put_header,
                                                .put_item = put_item};
