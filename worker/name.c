#include "worker/name.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { DIGITS_MAX = 10, TAG_SIZE = 64, KEY_SHOWN_MAX = 64 };

typedef char *environment(const char *name);

/* A short number, as text; NULL: it is not there, or is something else. */
static const char *number(environment *env, const char *name)
{
    const char *text = env(name);
    if (text == NULL) {
        return NULL;
    }
    size_t len = strlen(text);
    bool is_number = len > 0 && len <= DIGITS_MAX && strspn(text, "0123456789") == len;
    return is_number ? text : NULL;
}

/* Ranks first: mpirun may itself have been started by Slurm, whose numbers are then not of this process. */
static bool tag_of_rank(environment *env, char ret_tag[TAG_SIZE])
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *rank = number(env, names[i]);
        if (rank != NULL) {
            (void)snprintf(ret_tag, TAG_SIZE, "mpi-%s-", rank);
            return true;
        }
    }
    return false;
}

/* As Slurm writes them: JOB.STEP.TASK, or ARRAY_MEMBER.STEP.TASK. */
static bool tag_of_task(environment *env, char ret_tag[TAG_SIZE])
{
    const char *job = number(env, "SLURM_JOB_ID");
    const char *step = number(env, "SLURM_STEP_ID");
    const char *task = number(env, "SLURM_PROCID");
    const char *array = number(env, "SLURM_ARRAY_JOB_ID");
    const char *member = number(env, "SLURM_ARRAY_TASK_ID");
    if (job == NULL || task == NULL) {
        return false;
    }
    bool is_member = array != NULL && member != NULL;
    (void)snprintf(ret_tag,
                   TAG_SIZE,
                   "slurm-%s%s%s.%s%s%s-",
                   is_member ? array : job,
                   is_member ? "_" : "",
                   is_member ? member : "",
                   step != NULL ? step : "",
                   step != NULL ? "." : "",
                   task);
    return true;
}

static bool tag_of_pod(environment *env, char ret_tag[TAG_SIZE])
{
    const char *index = number(env, "JOB_COMPLETION_INDEX");
    if (index == NULL) {
        return false;
    }
    (void)snprintf(ret_tag, TAG_SIZE, "k8s-%s-", index);
    return true;
}

void worker_name_make(const char *key, pid_t pid, environment *env, char ret_name[WORKER_NAME_SIZE])
{
    char tag[TAG_SIZE] = "";
    (void)(tag_of_rank(env, tag) || tag_of_task(env, tag) || tag_of_pod(env, tag));
    (void)snprintf(ret_name,
                   WORKER_NAME_SIZE,
                   "%.*s-%s%ld",
                   KEY_SHOWN_MAX,
                   key != NULL ? key : "worker",
                   tag,
                   (long)pid);
}
