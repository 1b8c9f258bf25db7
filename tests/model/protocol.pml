/* What keeps every chunk counted exactly once while workers and the coordinator come and go, as a model that spin searches
 * from end to end: dispatch, results, acknowledgement, loss of a worker, restart of the coordinator from its journal, and
 * workers that come back with what they have in hand.
 *
 * One coordinator with its journal, two workers, two chunks. Everything that cannot be interrupted half-way is one step:
 *
 *   worker    worker/agent.c: registers, runs, keeps each result until it is acknowledged, sends it again in a new session
 *   peer      coordinator/server*.c and sched*.c: what the coordinator does about one worker
 *   journal   coordinator/journal.c: one group of results is open, one at most is being committed
 *   faults    at any moment, at most so often: DROPS connections drop, KILLS workers are killed, FENCES workers are silent
 *             for too long and wake again, CRASHES times the coordinator dies and is started again
 *
 * Left out: credit, sizes, times, drains, speculation (its duplicates are those of fenced workers), single items of a chunk.
 * WELCOME and JOB are one message, HOLDING and READY too: nothing can come between them.
 *
 * What must hold are the assertions (marked SAFE) and `completes`, the property at the end. Each BREAK_ macro breaks one rule of
 * the protocol: that spin then finds an error shows that the rule is needed and that this model can fail. check.sh runs it. */

#define NOBODY 2
#define BOTH 3 /* the set of both chunks; sets are one bit a chunk */
#define HAS(set, c) (((set) >> (c)) & 1)

/* HELLO, READY(holding), RESULTS(chunk, seq) of a worker; WELCOME, CHUNKS(chunk), ACK(seq), REJECT of the coordinator. */
mtype = { HELLO, READY, RESULTS, WELCOME, CHUNKS, ACK, REJECT };

/* One connection has both ways; what is in them goes with it. Fields: type, session, a chunk or a set of them, seq. */
chan up[2] = [5] of { mtype, byte, byte, byte };
chan down[2] = [6] of { mtype, byte, byte, byte };
bool connected[2];

/* --- what a worker knows; gone when it is killed --- */

mtype:work = { NOTHING, RUNS, KEPT }; /* KEPT: finished, and its result is not acknowledged */

typedef worker_state {
    mtype:work work[2] = NOTHING; /* by chunk */
    byte sent_as[2];              /* seq of the RESULTS that had it, in this session; 0: none had */
    byte session;                 /* 0: none */
    byte seq;                     /* last used */
}
worker_state own[2];

/* --- what the coordinator knows; gone when it crashes --- */

bool alive = true;
byte done;         /* set of chunks that are accounted for */
byte count[2];     /* how often each was counted */
byte holder[2] = NOBODY; /* NOBODY: done or queued */

typedef peer_state {
    byte session; /* 0: not registered */
    bool ready;
    bool gone;    /* its connection dropped, and the coordinator has not noticed */
    byte open;    /* seq of the last RESULTS that the open group has; 0: none */
    byte closed;  /* likewise, of the group that is being committed */
}
peer_state known[2];

mtype:group = { OPEN, CLOSED, COMMITTED };
mtype:group group = OPEN; /* COMMITTED: durable, and the loop has not heard of it */
byte closed_done, closed_count[2]; /* as they were when that group was closed */

/* --- what survives: the disk; and that session numbers never come twice. They are random in truth; here they begin anew with
 * each connection, which nothing of an old session outlives: far fewer states, and the same behaviour --- */

byte disk_done, disk_count[2];
byte last_session[2];

inline say(way, type, session_, what, n)
{
    assert(nfull(way)); /* the room above is enough: no send blocks */
    way!type, session_, what, n;
}

inline lose_content(way)
{
    do
    :: nempty(way) -> way?_, _, _, _
    :: empty(way) -> break
    od
}

/* ================ the coordinator ================ */

inline requeue(w, c)
{
    if
    :: holder[c] == w ->
#ifdef BREAK_NO_REQUEUE
        skip
#else
        holder[c] = NOBODY
#endif
    :: else
    fi
}

/* A session is over: what its worker held is queued again. */
inline forget_session(w)
{
    requeue(w, 0);
    requeue(w, 1);
    known[w].session = 0;
    known[w].ready = false;
    known[w].gone = false;
    known[w].open = 0;
#ifndef BREAK_STALE_ACK
    known[w].closed = 0; /* numbered by the old session: it says nothing about the next one */
#endif
    skip
}

/* Any session of before is over at the latest now, noticed or not: the same worker cannot have two. */
inline on_hello(w)
{
    forget_session(w);
    last_session[w]++;
    known[w].session = last_session[w];
    say(down[w], WELCOME, known[w].session, 0, 0)
}

/* The worker goes on with what nobody else has. */
inline adopt(w, c, holding)
{
    if
    :: HAS(holding, c) && !HAS(done, c) && holder[c] == NOBODY -> holder[c] = w
    :: else
    fi
}

inline on_ready(w, holding)
{
    adopt(w, 0, holding);
    adopt(w, 1, holding);
    known[w].ready = true
}

/* The first result for a chunk counts, whoever it is from; later ones are duplicates. */
inline on_results(w, c, n)
{
#ifdef BREAK_ACK_EARLY
    say(down[w], ACK, known[w].session, 0, n);
#else
    known[w].open = n; /* duplicates too: the first result may not be durable yet */
#endif
    if
#ifdef BREAK_COUNT_EVERY
    :: true ->
#else
    :: !HAS(done, c) ->
#endif
        done = done | (1 << c);
        holder[c] = NOBODY;
        count[c]++;
        assert(count[c] == 1) /* SAFE: counted once */
    :: else
    fi
}

inline hear(w)
{
    up[w]?type, session, what, n;
    if
    :: type == HELLO -> on_hello(w)
    :: type != HELLO && session != known[w].session -> say(down[w], REJECT, session, 0, 0)
    :: else ->
        if
        :: type == READY -> on_ready(w, what)
        :: type == RESULTS -> on_results(w, what, n)
        fi
    fi;
    type = HELLO; session = 0; what = 0; n = 0 /* so that they tell no states apart */
}

/* To a connection that is gone it is accepted, and lost. */
inline dispatch(w, c)
{
    holder[c] = w;
    if
    :: known[w].gone
    :: else -> say(down[w], CHUNKS, known[w].session, c, 0)
    fi
}

#define CAN_GET(w, c) (alive && known[w].ready && !HAS(done, c) && holder[c] == NOBODY)

proctype peer(byte w)
{
    mtype type = HELLO;
    byte session, what, n;
end:
    do
    :: d_step { alive && nempty(up[w]) -> hear(w) }
    :: d_step { alive && known[w].gone -> forget_session(w) }
    :: d_step { CAN_GET(w, 0) -> dispatch(w, 0) }
    :: d_step { CAN_GET(w, 1) -> dispatch(w, 1) }
    od
}

/* ================ its journal ================ */

inline close_group()
{
    group = CLOSED;
    closed_done = done;
    closed_count[0] = count[0]; closed_count[1] = count[1];
    known[0].closed = known[0].open; known[1].closed = known[1].open;
    known[0].open = 0; known[1].open = 0
}

inline commit_counts()
{
    disk_count[0] = closed_count[0]; disk_count[1] = closed_count[1]
}

inline commit_done()
{
    assert((disk_done & closed_done) == disk_done); /* SAFE: what was durable stays so */
    disk_done = closed_done;
    group = COMMITTED; closed_done = 0; closed_count[0] = 0; closed_count[1] = 0
}

inline acknowledge(w)
{
    if
    :: known[w].closed != 0 && !known[w].gone -> say(down[w], ACK, known[w].session, 0, known[w].closed)
    :: else
    fi;
    known[w].closed = 0
}

inline restart()
{
#ifndef BREAK_NO_JOURNAL
    done = disk_done;
#endif
    count[0] = disk_count[0]; count[1] = disk_count[1];
    alive = true
}

#define COUNTS_ON_DISK (disk_count[0] == closed_count[0] && disk_count[1] == closed_count[1])
#define TO_COMMIT (done != disk_done || known[0].open != 0 || known[1].open != 0)

proctype journal()
{
end:
    do
    :: d_step { alive && group == OPEN && TO_COMMIT -> close_group() }
#ifdef BREAK_TWO_COMMITS
    :: d_step { alive && group == CLOSED && !COUNTS_ON_DISK -> commit_counts() }
    :: d_step { alive && group == CLOSED && COUNTS_ON_DISK -> commit_done() }
#else
    :: d_step { alive && group == CLOSED -> commit_counts(); commit_done() } /* one transaction */
#endif
    :: d_step { alive && group == COMMITTED -> acknowledge(0); acknowledge(1); group = OPEN }
    :: d_step { !alive -> restart() }
    od
}

/* ================ a worker ================ */

/* In hand, with or without a result. */
#define HOLDS(w, c) (own[w].work[c] != NOTHING)
#define HOLDING(w) (HOLDS(w, 0) | (HOLDS(w, 1) << 1))

inline send_result(w, c)
{
    if
    :: own[w].session != 0 && own[w].work[c] == KEPT && own[w].sent_as[c] == 0 ->
        own[w].seq++;
        own[w].sent_as[c] = own[w].seq;
        say(up[w], RESULTS, own[w].session, c, own[w].seq)
    :: else
    fi
}

#ifdef BREAK_NO_RESEND
#define AFTER_SESSION 255 /* as if sent still */
#else
#define AFTER_SESSION 0
#endif

/* The session is over; what was sent in it and not acknowledged is to be sent again in the next one. */
inline end_session(w)
{
    own[w].session = 0;
    own[w].seq = 0;
    own[w].sent_as[0] = (own[w].sent_as[0] != 0 -> AFTER_SESSION : 0);
    own[w].sent_as[1] = (own[w].sent_as[1] != 0 -> AFTER_SESSION : 0)
}

inline on_welcome(w, s)
{
    own[w].session = s;
    say(up[w], READY, s, HOLDING(w), 0);
    send_result(w, 0);
    send_result(w, 1)
}

inline on_ack_of(w, c, n)
{
    if
    :: own[w].work[c] == KEPT && own[w].sent_as[c] != 0 && own[w].sent_as[c] <= n ->
        assert(HAS(disk_done, c)); /* SAFE: nothing is acknowledged that is not durable */
        own[w].work[c] = NOTHING;
        own[w].sent_as[c] = 0
    :: else
    fi
}

/* What is of another session is passed over. A chunk that it has in hand already (its other holder was lost) it runs again. */
inline listen(w)
{
    down[w]?type, session, what, n;
    if
    :: type == WELCOME -> on_welcome(w, session)
    :: type != WELCOME && session != own[w].session
    :: else ->
        if
        :: type == CHUNKS -> own[w].work[what] = RUNS; own[w].sent_as[what] = 0
        :: type == ACK -> on_ack_of(w, 0, n); on_ack_of(w, 1, n)
        :: type == REJECT -> end_session(w); say(up[w], HELLO, 0, 0, 0)
        fi
    fi;
    type = HELLO; session = 0; what = 0; n = 0
}

/* With or without a connection. */
inline finish(w, c)
{
    own[w].work[c] = KEPT;
    send_result(w, c)
}

proctype worker(byte w)
{
    mtype type = HELLO;
    byte session, what, n;
end:
    do
    :: d_step { alive && !connected[w] -> connected[w] = true; say(up[w], HELLO, 0, 0, 0) }
    :: d_step { nempty(down[w]) -> listen(w) }
    :: d_step { own[w].work[0] == RUNS -> finish(w, 0) }
    :: d_step { own[w].work[1] == RUNS -> finish(w, 1) }
    od
}

/* ================ what goes wrong ================ */

inline drop(w)
{
    lose_content(up[w]);
    lose_content(down[w]);
    connected[w] = false;
    last_session[w] = 0;
    end_session(w);
    known[w].gone = (known[w].session != 0)
}

inline kill(w)
{
    drop(w);
    own[w].work[0] = NOTHING; own[w].work[1] = NOTHING;
    own[w].sent_as[0] = 0; own[w].sent_as[1] = 0
}

/* It was silent for too long, and lives: it hears that when it speaks next, which is now (heartbeats are not shown). */
inline fence(w)
{
    say(down[w], REJECT, known[w].session, 0, 0);
    forget_session(w)
}

inline forget_peer(w)
{
    drop(w);
    known[w].session = 0; known[w].ready = false; known[w].gone = false;
    known[w].open = 0; known[w].closed = 0
}

/* kill -9, power cut: what was not committed is forgotten, the group that was being committed too. */
inline crash()
{
    alive = false;
    forget_peer(0); forget_peer(1);
    done = 0; count[0] = 0; count[1] = 0;
    holder[0] = NOBODY; holder[1] = NOBODY;
    group = OPEN; closed_done = 0; closed_count[0] = 0; closed_count[1] = 0
}

proctype faults()
{
    byte drops = DROPS, kills = KILLS, fences = FENCES, crashes = CRASHES;
end:
    do
    :: d_step { drops > 0 && connected[0] -> drops--; drop(0) }
    :: d_step { drops > 0 && connected[1] -> drops--; drop(1) }
    :: d_step { kills > 0 && connected[0] -> kills--; kill(0) }
    :: d_step { kills > 0 && connected[1] -> kills--; kill(1) }
    :: d_step { fences > 0 && known[0].session != 0 && !known[0].gone -> fences--; fence(0) }
    :: d_step { fences > 0 && known[1].session != 0 && !known[1].gone -> fences--; fence(1) }
    :: d_step { crashes > 0 && alive -> crashes--; crash() }
#ifdef LIVENESS
    :: drops + kills + fences + crashes > 0 ->
        drops = 0; kills = 0; fences = 0; crashes = 0 /* or a run in which none is left unused would be the only one */
#endif
    od
}

init
{
    atomic { run peer(0); run peer(1); run journal(); run worker(0); run worker(1); run faults() }
}

/* ================ the property ================ */

#define COUNTED (disk_done == BOTH && disk_count[0] == 1 && disk_count[1] == 1)
#define NOTHING_KEPT (!HOLDS(0, 0) && !HOLDS(0, 1) && !HOLDS(1, 0) && !HOLDS(1, 1))

/* Faults end, for they are bounded: then all is counted, durable and acknowledged, and stays so. No fairness between processes
 * is assumed: nothing here repeats without a cause, so that whatever order is chosen, it leads there. */
#ifdef LIVENESS
ltl completes { <> [] (COUNTED && NOTHING_KEPT) }
#endif
