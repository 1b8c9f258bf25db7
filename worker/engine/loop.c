/* A libuv loop with the handle that wakes it; see loop.h. */
#include "worker/engine/loop.h"

#include "common/base/check.h"

int loop_init(uv_loop_t *loop, uv_async_t *kick, uv_async_cb on_kick, struct err_text *ret_error)
{
    int rc = uv_loop_init(loop);
    if (rc != 0) {
        goto out;
    }
    rc = uv_async_init(loop, kick, on_kick);
    if (rc != 0) {
        CHECK(uv_loop_close(loop) == 0);
    }
out:
    if (rc != 0) {
        return err_set(ret_error, ERR_IO, "cannot make an event loop: %s", uv_strerror(rc));
    }
    return 0;
}
