#include "tests/coordinator/launch/push_rig.h"

#include "coordinator/launch/launch_shell.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- what there is --- */

void push_sh(const struct push_rig *rig, const char *format, ...)
{
    char words[2048];
    char all[3072];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(words, sizeof(words), format, arguments);
    va_end(arguments);
    (void)snprintf(all, sizeof(all), "cd '%s' && { %s; }", rig->directory, words);
    assert_int_equal(system(all), 0);
}

void push_make_bundle(struct push_rig *rig, const char *script)
{
    char path[PUSH_PATH_SIZE * 2];
    struct err_text error = {{0}};
    push_sh(rig,
            "rm -rf quartet-bundle && mkdir -p quartet-bundle/bin quartet-bundle/lib && "
            "echo library >quartet-bundle/lib/x.so && "
            "printf '#!/bin/sh\\n%%s\\n' '%s' >quartet-bundle/bin/quartet-worker && "
            "chmod 755 quartet-bundle/bin/quartet-worker && "
            "printf 'bin/quartet-worker\\nlib/x.so\\n' >quartet-bundle/FILES && "
            "head -c 300000 /dev/urandom >quartet-bundle/weight && " /* more than a pipe holds */
            "tar czf quartet-bundle-test.tar.gz quartet-bundle",
            script);
    (void)snprintf(path, sizeof(path), "%s/quartet-bundle-test.tar.gz", rig->directory);
    bundle_close(rig->bundle);
    assert_int_equal(bundle_open(path, &error, &rig->bundle), 0);
    (void)snprintf(rig->kept,
                   sizeof(rig->kept),
                   "%.200s/.cache/quartet/bundle/%s",
                   rig->directory,
                   rig->bundle->hash);
    rig->push.hash = rig->bundle->hash;
    rig->push.size_bytes = rig->bundle->size_bytes;
}

int push_set_up(void **state)
{
    struct push_rig *rig = calloc(1, sizeof(*rig));
    if (rig == NULL || uv_loop_init(&rig->loop) != 0) {
        return -1;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* as the program does */
    (void)snprintf(rig->directory, sizeof(rig->directory), "/tmp/quartet-push-XXXXXX");
    if (mkdtemp(rig->directory) == NULL) {
        return -1;
    }
    FILE *pipe = popen("uname -m", "re");
    static char machine[BUNDLE_MACHINE_SIZE];
    if (pipe == NULL || fgets(machine, sizeof(machine), pipe) == NULL || pclose(pipe) != 0) {
        return -1;
    }
    machine[strcspn(machine, "\n")] = '\0';
    rig->push.machine = machine;
    rig->shell = "/bin/sh";
    (void)setenv("HOME", rig->directory, 1);
    (void)unsetenv("XDG_CACHE_HOME");
    (void)setenv("SSH_CONNECTION", "10.0.0.1 4000 10.0.0.2 22", 1);
    push_make_bundle(rig, "echo \"worker $*\"; umask");
    *state = rig;
    return 0;
}

int push_tear_down(void **state)
{
    struct push_rig *rig = *state;
    push_sh(rig, "chmod -R u+rwX . && cd / && rm -rf '%s'", rig->directory);
    bundle_close(rig->bundle);
    int rc = uv_loop_close(&rig->loop); /* no handle is left */
    free(rig);
    return rc;
}

size_t push_count_kept(const struct push_rig *rig)
{
    char path[PUSH_PATH_SIZE * 2];
    size_t count = 0;
    (void)snprintf(path, sizeof(path), "%s/.cache/quartet/bundle", rig->directory);
    DIR *directory = opendir(path);
    const struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    return count;
}

/* --- the launcher's part --- */

static void send_bundle(struct push_visit *visit)
{
    struct push_rig *rig = visit->rig;
    visit->asked++;
    launch_child_feed(visit->child,
                      rig->bundle->fd,
                      rig->cut_bytes > 0 ? rig->cut_bytes : rig->bundle->size_bytes);
}

static void note(struct push_visit *visit, const char *line)
{
    size_t len = strlen(visit->said);
    (void)snprintf(visit->said + len, sizeof(visit->said) - len, "%s\n", line);
}

static void on_line(void *arg, bool is_error_output, const char *line)
{
    struct push_visit *visit = arg;
    const char *words = NULL;
    enum launch_push_word word = is_error_output ? LAUNCH_PUSH_OTHER
                                                 : launch_push_hear(line, &words);
    if (word == LAUNCH_PUSH_SEND) {
        send_bundle(visit);
    } else if (word == LAUNCH_PUSH_FAILED) {
        (void)snprintf(visit->failed, sizeof(visit->failed), "%s", words);
    } else if (launch_shell_is_greeting(line)) {
        launch_child_write(visit->child, "tcp://10.0.0.1:5\n", 17);
    } else {
        note(visit, line);
    }
}

static void on_ended(void *arg, const struct spawn_end *end)
{
    struct push_visit *visit = arg;
    visit->ended = true;
    visit->end = *end;
}

static const struct launch_child_handlers handlers = {.line = on_line, .ended = on_ended};

void push_begin(struct push_rig *rig, struct push_visit *visit)
{
    static const char *const arguments[] = {"--name", "a b", "$HOME", "*", NULL};
    char command[LAUNCH_COMMAND_SIZE];
    char path[PUSH_PATH_SIZE];
    struct err_text error = {{0}};
    *visit = (struct push_visit){.rig = rig};
    assert_int_equal(launch_push_command(&rig->push, false, arguments, command, sizeof(command)),
                     0);
    const char *argv[] = {rig->shell, "-c", command, NULL};
    (void)snprintf(path, sizeof(path), "%s", getenv("PATH"));
    (void)setenv("PATH", rig->path[0] != '\0' ? rig->path : path, 1);
    assert_int_equal(launch_child_start(&rig->loop, argv, &handlers, visit, &error, &visit->child),
                     0);
    (void)setenv("PATH", path, 1);
}

/* A connection that is to break does when it has taken what it takes. */
static bool has_broken(const struct push_visit *visit)
{
    return visit->rig->cut_bytes > 0 && !visit->ended &&
           launch_child_fed_bytes(visit->child) == visit->rig->cut_bytes;
}

void push_play(struct push_rig *rig)
{
    (void)uv_run(&rig->loop, UV_RUN_DEFAULT);
}

void push_visit(struct push_rig *rig, struct push_visit *visit)
{
    push_begin(rig, visit);
    while (!visit->ended) {
        (void)uv_run(&rig->loop, UV_RUN_ONCE);
        if (has_broken(visit)) {
            launch_child_end_input(visit->child);
        }
    }
    push_play(rig);
}
