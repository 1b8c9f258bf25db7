/* What the files of the session share: session.c has its life and its jobs, session_workers.c the
 * workers, session_hosts.c those on other hosts, session_access.c how workers learn where to go,
 * session_status.c what can be asked of it. */
#ifndef QUARTET_COORDINATOR_SESSION_SESSION_INTERNAL_H
#define QUARTET_COORDINATOR_SESSION_SESSION_INTERNAL_H

#include "coordinator/launch/launch.h"
#include "coordinator/launch/launch_shell.h"
#include "coordinator/server/server.h"
#include "coordinator/session/fleet.h"
#include "coordinator/session/session.h"
#include "coordinator/session/stage.h"
#include "coordinator/status/control.h"
#include "coordinator/status/pace.h"
#include "coordinator/status/restart.h"
#include "coordinator/status/status.h"

enum { LOCAL_START_LIMIT_US = 30 * 1000 * 1000 };

/* Local workers that end during a job. */
struct session_restarts {
    struct restart policy;
    uv_timer_t timer;
    uint32_t waiting;               /* workers that it will start again */
    char last_words[ERR_TEXT_SIZE]; /* why nobody is started again any more; "" while somebody is */
};

/* What the one who watches knows of the job on stage. */
struct session_watch {
    uv_timer_t timer;
    const struct runner *runner; /* whose pace it is; NULL: of none */
    struct pace pace;
    unsigned said;     /* bit (1 << reason): reasons that were said of this job */
    uint64_t waits_us; /* since when what is on is on, while no item is run */
};

struct session {
    const struct options *options;
    struct zygote *zygote;
    struct stage stage;
    bool staged;
    struct progress *progress;
    struct server *server;
    struct fleet *fleet;
    struct launch *launch;           /* NULL: no hosts were given */
    struct launch_tunnel tunnel;     /* of --tunnel: its end here */
    uint64_t lost_host_us;           /* since when one is given up; 0: none is */
    char told[LAUNCH_ENDPOINT_SIZE]; /* where its workers find us; "": each host says */
    struct origin_child *origin;
    struct control *control; /* NULL: nobody can ask */
    uint32_t expected;       /* workers that session_run begins with */
    bool closing;            /* workers that end are no news */

    uint64_t opened_us;
    char started[40]; /* RFC 3339 */
    enum status_phase phase;
    const struct job *job; /* being run, or about to; NULL: none */
    enum placement placement;

    struct session_restarts restarts;
    struct session_watch watch;
};

/* --- session_workers.c --- */

/* Listen, start the local workers, wait for all that are expected. See session_open. */
int session_open_workers(struct session *session, struct err_text *ret_error);

/* Start what is missing of the local workers and wait until everybody who is expected is
 * registered. */
int session_gather_workers(struct session *session, struct err_text *ret_error);

/* From now on local workers that end are started again, or not any more. */
void session_keep_workers(struct session *session, bool keep);

/* Is there nobody who could run the job, and nobody who could come? Tells the server. */
void session_review_workers(struct session *session);

/* --- session_access.c --- */

/* Write the access file, if one was asked for, and say what --insecure means. */
int session_write_access(struct session *session, struct err_text *ret_error);

/* For launchers, see launch.h, and for the fleet, see fleet.h. `arg`: the session. */
char *session_grant_line(void *arg,
                         const char *name,
                         const char *endpoint,
                         struct err_text *ret_error);
int session_grant(void *arg, const char *name, struct err_text *ret_error, int *ret_fd);
void session_revoke(void *arg, const char *name);

/* --- session_hosts.c --- */

/* Make ready to launch on the hosts that were given, if any. */
int session_open_hosts(struct session *session, struct err_text *ret_error);

/* Is some host given up? Not said before it is known of the others, too, or a while has passed. */
bool session_lost_host(struct session *session);

/* Which hosts were given up (`rc` is ERR_CHILD), or have not come (any other), and why: the first in `ret_error`, a line for each
 * other on standard error. Returns `rc`. */
int session_say_missing_hosts(const struct session *session, int rc, struct err_text *ret_error);

/* What the first host that has not come says, as "host h1: ..."; false: none is missing. */
bool session_first_missing_host(const struct session *session, char *ret_text, size_t size);

/* --- session_status.c --- */

/* Something else is on from now. */
void session_enter(struct session *session, enum status_phase phase);

/* Begin to watch, and let people ask. Returns 0, or an error of the control socket that was asked
 * for. */
int session_open_watch(struct session *session, struct err_text *ret_error);
void session_close_watch(struct session *session);

#endif
