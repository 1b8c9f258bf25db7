/* A libuv loop with the handle that wakes it: what both forms of the async strategy begin with. */
#ifndef QUARTET_WORKER_ENGINE_LOOP_H
#define QUARTET_WORKER_ENGINE_LOOP_H

#include "common/base/err.h"

#include <uv.h>

/* Make both. Returns 0, or ERR_IO with nothing made. */
int loop_init(uv_loop_t *loop, uv_async_t *kick, uv_async_cb on_kick, struct err_text *ret_error);

#endif
