/* The registry of strategies. A new one is a file and a line here. */
#include "worker/engine/strategy.h"

static const struct strategy_ops *const strategies[] = {
    &strategy_serial_ops,
    &strategy_threads_ops,
    &strategy_async_ops,
    &strategy_processes_ops,
};

const struct strategy_ops *strategy_find(enum strategy strategy,
                                         const struct workload_ops *workload)
{
    if (strategy == STRATEGY_ASYNC && workload->async_open == NULL) {
        return &strategy_cooperative_ops;
    }
    for (size_t i = 0; i < sizeof(strategies) / sizeof(strategies[0]); i++) {
        if (strategies[i]->strategy == strategy) {
            return strategies[i];
        }
    }
    return NULL;
}
