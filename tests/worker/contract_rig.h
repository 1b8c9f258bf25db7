/* One workload with every strategy: the same items come to the same counts and the same checksum. */
#ifndef QUARTET_TESTS_WORKER_CONTRACT_RIG_H
#define QUARTET_TESTS_WORKER_CONTRACT_RIG_H

#include "worker/engine/zygote.h"
#include "worker/workloads/params.h"
#include "worker/workloads/workload.h"

enum { CONTRACT_ITEMS = 40 };

struct contract_case {
    struct zygote *zygote;
    const struct workload_ops *workload;
    const struct params *params; /* resolved */
    const char *prefix; /* item n, from 0, is this text with n behind it; NULL: the number n + 1 */
};

/* Run CONTRACT_ITEMS items serially, which must all succeed, and then with each other strategy;
 * asserts that every tally is the same. */
void contract_compare_strategies(const struct contract_case *given);

#endif
