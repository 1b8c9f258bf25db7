#include "coordinator/launchers/worker_command.h"

static void add_seconds(struct words *words, const char *option, double seconds)
{
    words_add(words, "%s", option);
    words_add(words, "%.10g", seconds);
}

double worker_command_spread_s(uint64_t workers)
{
    enum { FEW = 20, PER_SECOND = 200, LONGEST_S = 10 };

    double seconds = (double)workers / PER_SECOND;
    return workers <= FEW ? 0 : seconds > LONGEST_S ? LONGEST_S : seconds;
}

/* Where to, and whom to obey. */
static void add_where(struct words *words,
                      const struct launcher_request *request,
                      const struct worker_command *how)
{
    words_add(words, "%s", how->access != NULL ? "--access" : "--connect");
    words_add(words, "%s", how->access != NULL ? how->access : request->connect);
    if (request->insecure) {
        words_add(words, "--insecure");
    }
    add_seconds(words, "--give-up", request->give_up_s);
    if (worker_command_spread_s(how->workers) > 0) {
        add_seconds(words, "--spread", worker_command_spread_s(how->workers));
    }
}

/* When to leave. */
static void add_end(struct words *words,
                    const struct launcher_request *request,
                    const struct worker_command *how)
{
    if (how->time_limit_s > 0) {
        add_seconds(words, "--time-limit", how->time_limit_s);
    }
    add_seconds(words, "--drain-limit", request->drain_limit_s);
    if (how->end_with_stdin) {
        words_add(words, "--end-with-stdin");
    }
}

void worker_command_add(struct words *words,
                        const struct launcher_request *request,
                        const struct worker_command *how)
{
    words_add(words, "%s", request->worker_path);
    add_where(words, request, how);
    add_end(words, request, how);
    if (request->slots > 0) {
        words_add(words, "--slots");
        words_add(words, "%llu", (unsigned long long)request->slots);
    }
    if (request->allow_exec) {
        words_add(words, "--allow-exec");
    }
    if (request->allow_plugins) {
        words_add(words, "--allow-plugins");
    }
    if (request->quiet) {
        words_add(words, "--quiet");
    }
}

void worker_command_feed(struct plan *plan, const struct launcher_request *request)
{
    bool keys = request->access != NULL;
    plan_feed(plan, PLAN_HELD_TEXT, keys ? request->access_text : "");
    plan_hide(plan, keys ? "<access file, not shown>" : "nothing");
}
