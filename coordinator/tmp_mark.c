#include "coordinator/sink.h"
int sink_put_mark(struct sink *sink, uint64_t number) { (void)sink; (void)number; return 0; }
