#include "common/io/zap.h"

#include "common/base/check.h"
#include "common/io/descriptors.h"
#include "common/io/zsock_internal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Of a request: version, id, domain, address, routing id, mechanism, credentials. */
    FRAMES = 7,
    FRAME_SIZE = 256,
    DESCRIPTORS_OF_A_HANDLER = 2, /* libzmq aborts the process when it does not get them */
};

enum { IN_VERSION, IN_ID, IN_DOMAIN, IN_ADDRESS, IN_ROUTING_ID, IN_MECHANISM, IN_KEY };

struct frame {
    char bytes[FRAME_SIZE + 1]; /* NUL-terminated */
    size_t len;
};

struct zap {
    void *zmq; /* the handler's socket: its thread's own */
    pthread_t thread;

    pthread_mutex_t lock;   /* of what follows */
    struct key_named *keys; /* in the order of their public keys */
    size_t key_count;
    struct zap_knock knocks[ZAP_KNOCKS_MAX];
    size_t knock_count;
    uint64_t refusals;
};

/* --- the list --- */

static int compare_keys(const void *a, const void *b)
{
    const struct key_named *left = a;
    const struct key_named *right = b;
    return strcmp(left->public_key, right->public_key);
}

bool zap_allows(struct zap *zap, const char *public_key)
{
    struct key_named wanted = {.name = ""};
    (void)snprintf(wanted.public_key, sizeof(wanted.public_key), "%s", public_key);
    (void)pthread_mutex_lock(&zap->lock);
    bool allowed = zap->key_count > 0 &&
                   bsearch(&wanted, zap->keys, zap->key_count, sizeof(*zap->keys), compare_keys) !=
                       NULL;
    (void)pthread_mutex_unlock(&zap->lock);
    return allowed;
}

int zap_allow(struct zap *zap, const struct key_named *keys, size_t count)
{
    struct key_named *copy = calloc(count + 1, sizeof(*copy));
    if (copy == NULL) {
        return ERR_NOMEM;
    }
    if (count > 0) {
        memcpy(copy, keys, count * sizeof(*copy));
        qsort(copy, count, sizeof(*copy), compare_keys);
    }
    (void)pthread_mutex_lock(&zap->lock);
    struct key_named *before = zap->keys;
    zap->keys = copy;
    zap->key_count = count;
    (void)pthread_mutex_unlock(&zap->lock);
    free(before);
    return 0;
}

/* --- refusals --- */

static void note_refusal(struct zap *zap, const char *public_key, const char *address)
{
    (void)pthread_mutex_lock(&zap->lock);
    zap->refusals++;
    if (zap->knock_count < ZAP_KNOCKS_MAX) {
        struct zap_knock *knock = &zap->knocks[zap->knock_count++];
        (void)snprintf(knock->public_key, sizeof(knock->public_key), "%s", public_key);
        (void)snprintf(knock->address, sizeof(knock->address), "%.63s", address);
    }
    (void)pthread_mutex_unlock(&zap->lock);
}

bool zap_take_knock(struct zap *zap, struct zap_knock *ret_knock)
{
    (void)pthread_mutex_lock(&zap->lock);
    bool any = zap->knock_count > 0;
    if (any) {
        *ret_knock = zap->knocks[0];
        memmove(zap->knocks, zap->knocks + 1, --zap->knock_count * sizeof(*zap->knocks));
    }
    (void)pthread_mutex_unlock(&zap->lock);
    return any;
}

uint64_t zap_refusals(struct zap *zap)
{
    (void)pthread_mutex_lock(&zap->lock);
    uint64_t refusals = zap->refusals;
    (void)pthread_mutex_unlock(&zap->lock);
    return refusals;
}

void zap_forget_refusals(struct zap *zap)
{
    (void)pthread_mutex_lock(&zap->lock);
    zap->refusals = 0;
    zap->knock_count = 0;
    (void)pthread_mutex_unlock(&zap->lock);
}

/* --- the handler --- */

/* One request. Returns how many frames it had, or -1: the context ends. Frames that are too many
 * or too long make it one that is refused. */
static int receive(void *zmq, struct frame frames[FRAMES])
{
    int count = 0;
    int more = 1;
    while (more) {
        struct frame excess;
        struct frame *frame = count < FRAMES ? &frames[count] : &excess;
        int len = zmq_recv(zmq, frame->bytes, FRAME_SIZE, 0);
        if (len < 0 && errno == EINTR) {
            continue;
        }
        if (len < 0) {
            return -1;
        }
        count++;
        frame->len = len < FRAME_SIZE ? (size_t)len : FRAME_SIZE;
        frame->bytes[frame->len] = '\0';
        size_t size = sizeof(more);
        CHECK(zmq_getsockopt(zmq, ZMQ_RCVMORE, &more, &size) == 0);
    }
    return count;
}

static bool is_curve(const struct frame frames[FRAMES], int count)
{
    return count == FRAMES && strcmp(frames[IN_VERSION].bytes, "1.0") == 0 &&
           strcmp(frames[IN_MECHANISM].bytes, "CURVE") == 0 && frames[IN_KEY].len == KEY_BYTES;
}

/* A key that is let in is its connection's User-Id from then on. False: the context ends. */
static bool answer(void *zmq, const struct frame *id, const char *public_key)
{
    bool allowed = public_key != NULL;
    const char *const texts[] = {allowed ? "200" : "400", allowed ? "" : "unknown key"};
    const char *user = allowed ? public_key : "";
    return zmq_send(zmq, "1.0", 3, ZMQ_SNDMORE) >= 0 &&
           zmq_send(zmq, id->bytes, id->len, ZMQ_SNDMORE) >= 0 &&
           zmq_send(zmq, texts[0], strlen(texts[0]), ZMQ_SNDMORE) >= 0 &&
           zmq_send(zmq, texts[1], strlen(texts[1]), ZMQ_SNDMORE) >= 0 &&
           zmq_send(zmq, user, strlen(user), ZMQ_SNDMORE) >= 0 && zmq_send(zmq, "", 0, 0) >= 0;
}

static void *run_handler(void *arg)
{
    struct zap *zap = arg;
    struct frame frames[FRAMES];
    bool going = true;
    while (going) {
        int count = receive(zap->zmq, frames);
        if (count < 0) {
            break;
        }
        char public_key[KEY_TEXT_SIZE] = "";
        bool allowed = is_curve(frames, count);
        if (allowed) {
            key_from_bytes((const unsigned char *)frames[IN_KEY].bytes, public_key);
            allowed = zap_allows(zap, public_key);
        }
        if (!allowed) {
            note_refusal(zap, public_key, count > IN_ADDRESS ? frames[IN_ADDRESS].bytes : "");
        }
        struct frame none = {.len = 0};
        going = answer(
            zap->zmq, count > IN_ID ? &frames[IN_ID] : &none, allowed ? public_key : NULL);
    }
    (void)zmq_close(zap->zmq);
    return NULL;
}

/* Signals are for the loop's thread. */
static int start_thread(struct zap *zap)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&zap->thread, NULL, run_handler, zap);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

int zap_start(struct zsock_context *context, struct err_text *ret_error, struct zap **ret_zap)
{
    CHECK(context->zap == NULL);
    int rc = descriptors_expect(DESCRIPTORS_OF_A_HANDLER, "to check keys", ret_error);
    if (rc != 0) {
        return rc;
    }
    struct zap *zap = calloc(1, sizeof(*zap));
    if (zap == NULL) {
        return err_set(ret_error, ERR_NOMEM, "no memory to check keys");
    }
    CHECK(pthread_mutex_init(&zap->lock, NULL) == 0);
    zap->zmq = zmq_socket(context->zmq, ZMQ_REP);
    int error = zap->zmq == NULL || zmq_bind(zap->zmq, "inproc://zeromq.zap.01") != 0
                    ? errno
                    : start_thread(zap);
    if (error != 0) {
        if (zap->zmq != NULL) {
            (void)zmq_close(zap->zmq);
        }
        (void)pthread_mutex_destroy(&zap->lock);
        free(zap);
        return err_set(ret_error, ERR_IO, "cannot check keys: %s", zmq_strerror(error));
    }
    context->zap = zap;
    *ret_zap = zap;
    return 0;
}

void zap_end(struct zap *zap)
{
    (void)pthread_join(zap->thread, NULL);
    (void)pthread_mutex_destroy(&zap->lock);
    free(zap->keys);
    free(zap);
}
