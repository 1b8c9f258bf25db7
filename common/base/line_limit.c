/* Not too many lines; see line_limit.h. */
#include "common/base/line_limit.h"

enum { EACH_US = 1000000 };

bool line_limit_allows(struct line_limit *limit, uint64_t now_us)
{
    bool allowed = bucket_take(&limit->bucket, now_us, LINE_LIMIT_BURST, EACH_US);
    limit->left_out += !allowed;
    return allowed;
}

uint64_t line_limit_take_left_out(struct line_limit *limit)
{
    uint64_t left_out = limit->left_out;
    limit->left_out = 0;
    return left_out;
}
