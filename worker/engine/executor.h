/* An executor: a process of the processes strategy, from its fork in the zygote to its end. */
#ifndef QUARTET_WORKER_ENGINE_EXECUTOR_H
#define QUARTET_WORKER_ENGINE_EXECUTOR_H

#include "worker/engine/slot_record.h"

/* Run the job and the chunks that come over `fd`, note progress and results in `record`, and in
 * the RECORDS_MAX bytes at `records` a record of each item (NULL: nobody wants them; MAP_FAILED:
 * they could not be had, which is told as what could not be opened). Ends the process when the
 * other end is closed. Signals and descriptors are in order already. */
_Noreturn void executor_main(int fd, struct slot_record *record, void *records);

#endif
