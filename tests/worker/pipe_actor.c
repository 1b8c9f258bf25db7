/* The programs that workload pipe is tested with, good and bad: pipe_actor ROLE [ARGUMENT [MORE]].
 *
 * "Answers" means: writes the line that it got, at once. "Holds" means: leaves that to stdio. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The next line, without its newline; NULL at the end. */
static char *next_line(size_t *ret_len)
{
    static char *line;
    static size_t capacity;
    ssize_t len = getline(&line, &capacity, stdin);
    if (len < 0) {
        return NULL;
    }
    if (line[len - 1] == '\n') {
        line[--len] = '\0';
    }
    *ret_len = (size_t)len;
    return line;
}

static long to_number(const char *text)
{
    return strtol(text, NULL, 10);
}

static void answer(const char *text)
{
    (void)puts(text);
    (void)fflush(stdout);
}

static void pause_ms(long ms)
{
    struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&wait, &wait) != 0 && errno == EINTR) {
    }
}

/* Sanitizers handle the signal and exit instead. */
static void crash(void)
{
    (void)signal(SIGSEGV, SIG_DFL);
    (void)raise(SIGSEGV);
}

_Noreturn static void wait_for_ever(void)
{
    for (;;) {
        (void)pause();
    }
}

/* --- roles --- */

static int hold(const char *argument, const char *more)
{
    (void)more;
    size_t len;
    for (const char *line; (line = next_line(&len)) != NULL;) {
        if (argument != NULL && strcmp(line, argument) == 0) {
            crash();
        }
        (void)puts(line);
    }
    return 0;
}

static int crash_on(const char *argument, const char *more)
{
    size_t len;
    for (const char *line; (line = next_line(&len)) != NULL;) {
        if (strcmp(line, argument) == 0) {
            (void)fprintf(stderr, "first\n%s is more than I can bear\n", line);
            if (more != NULL) {
                exit((int)to_number(more));
            }
            crash();
        }
        answer(line);
    }
    return 0;
}

static int exit_after(const char *argument, const char *more)
{
    size_t len;
    for (long left = to_number(argument); left > 0; left--) {
        const char *line = next_line(&len);
        if (line == NULL) {
            return 0;
        }
        answer(line);
    }
    return more == NULL ? 0 : (int)to_number(more);
}

static int exit_at_once(const char *argument, const char *more)
{
    (void)fprintf(stderr, "%s\n", more);
    return (int)to_number(argument);
}

/* Answers its word twice, in one piece: so that both are there when one is. */
static int twice(const char *argument, const char *more)
{
    (void)more;
    size_t len;
    for (const char *line; (line = next_line(&len)) != NULL;) {
        if (strcmp(line, argument) == 0) {
            (void)puts(line);
        }
        answer(line);
    }
    return 0;
}

static int silent(const char *argument, const char *more)
{
    (void)argument;
    (void)more;
    size_t len;
    while (next_line(&len) != NULL) {
    }
    wait_for_ever();
}

static int deaf(const char *argument, const char *more)
{
    (void)argument;
    (void)more;
    wait_for_ever();
}

/* Answers but one item, at which it waits for ever. */
static int hang_on(const char *argument, const char *more)
{
    (void)more;
    size_t len;
    for (const char *line; (line = next_line(&len)) != NULL;) {
        if (strcmp(line, argument) == 0) {
            wait_for_ever();
        }
        answer(line);
    }
    return 0;
}

static int slow(const char *argument, const char *more)
{
    (void)more;
    size_t len;
    for (const char *line; (line = next_line(&len)) != NULL;) {
        pause_ms(to_number(argument));
        answer(line);
    }
    return 0;
}

/* Reads nothing for so long, and then answers: as a program that loads something first. */
static int late(const char *argument, const char *more)
{
    (void)more;
    pause_ms(to_number(argument));
    size_t len;
    for (const char *line; (line = next_line(&len)) != NULL;) {
        answer(line);
    }
    return 0;
}

/* Reads all at once, computes for so long, and then answers one by one. */
static int work(const char *argument, const char *more)
{
    (void)more;
    static char bytes[65536];
    ssize_t got = read(STDIN_FILENO, bytes, sizeof(bytes));
    clock_t end = clock() + (clock_t)(to_number(argument) * (CLOCKS_PER_SEC / 1000));
    while (clock() < end) {
    }
    for (ssize_t i = 0; i < got; i++) {
        (void)putchar(bytes[i]);
        if (bytes[i] == '\n') {
            (void)fflush(stdout);
        }
    }
    size_t len;
    return next_line(&len) == NULL ? 0 : 1;
}

/* Says so much on standard error before each answer. */
static int noisy(const char *argument, const char *more)
{
    (void)more;
    size_t len;
    for (const char *line; (line = next_line(&len)) != NULL;) {
        for (long left = to_number(argument); left > 0; left -= 32) {
            (void)fprintf(stderr, "noise %24ld\n", left);
        }
        answer(line);
    }
    return 0;
}

/* Answers each item with so many bytes. */
static int huge(const char *argument, const char *more)
{
    (void)more;
    size_t len;
    size_t size = (size_t)to_number(argument);
    char *text = calloc(1, size + 1);
    if (text == NULL) {
        return 1;
    }
    for (const char *line; (line = next_line(&len)) != NULL;) {
        memset(text, line[0], size);
        answer(text);
    }
    free(text);
    return 0;
}

/* The last answer without its newline. */
static int unfinished(const char *argument, const char *more)
{
    (void)argument;
    (void)more;
    size_t len;
    const char *between = "";
    for (const char *line; (line = next_line(&len)) != NULL;) {
        (void)printf("%s%s", between, line);
        between = "\n";
    }
    return 0;
}

/* With lengths: the bytes in reverse order. */
static int reverse(const char *argument, const char *more)
{
    (void)argument;
    (void)more;
    uint32_t len;
    while (fread(&len, sizeof(len), 1, stdin) == 1) {
        char *bytes = malloc(len + 1);
        if (bytes == NULL || fread(bytes, 1, len, stdin) != len) {
            return 1;
        }
        for (uint32_t i = 0; i < len / 2; i++) {
            char byte = bytes[i];
            bytes[i] = bytes[len - 1 - i];
            bytes[len - 1 - i] = byte;
        }
        (void)fwrite(&len, sizeof(len), 1, stdout);
        (void)fwrite(bytes, 1, len, stdout);
        (void)fflush(stdout);
        free(bytes);
    }
    return 0;
}

/* Answers, and at the end of its input stays. Writes its number to a file, and another one that
 * it has started. */
static int stay(const char *argument, const char *more)
{
    (void)more;
    pid_t child = fork();
    if (child == 0) {
        wait_for_ever();
    }
    FILE *file = fopen(argument, "w");
    if (file == NULL) {
        return 1;
    }
    (void)fprintf(file, "%d %d\n", (int)getpid(), (int)child);
    (void)fclose(file);
    size_t len;
    for (const char *line; (line = next_line(&len)) != NULL;) {
        answer(line);
    }
    wait_for_ever();
}

/* Collects answers while there is input to be had at once: as a good program does it. */
static int swift(const char *argument, const char *more)
{
    (void)argument;
    (void)more;
    static char bytes[65536];
    for (;;) {
        ssize_t got = read(STDIN_FILENO, bytes, sizeof(bytes));
        if (got <= 0) {
            return 0;
        }
        for (ssize_t put = 0; put < got;) {
            ssize_t now = write(STDOUT_FILENO, bytes + put, (size_t)(got - put));
            if (now < 0) {
                return 1;
            }
            put += now;
        }
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*play)(const char *argument, const char *more);
        int arguments;
    } roles[] = {
        {"hold", hold, 0},
        {"crash-on", crash_on, 1},
        {"exit-after", exit_after, 1},
        {"exit-at-once", exit_at_once, 2},
        {"twice", twice, 1},
        {"silent", silent, 0},
        {"deaf", deaf, 0},
        {"hang-on", hang_on, 1},
        {"slow", slow, 1},
        {"late", late, 1},
        {"work", work, 1},
        {"noisy", noisy, 1},
        {"huge", huge, 1},
        {"unfinished", unfinished, 0},
        {"reverse", reverse, 0},
        {"stay", stay, 1},
        {"swift", swift, 0},
    };

    for (size_t i = 0; argc > 1 && i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (strcmp(argv[1], roles[i].name) == 0 && argc >= roles[i].arguments + 2) {
            return roles[i].play(argc > 2 ? argv[2] : NULL, argc > 3 ? argv[3] : NULL);
        }
    }
    (void)fprintf(stderr, "usage: pipe_actor ROLE [ARGUMENT [MORE]]\n");
    return 2;
}
