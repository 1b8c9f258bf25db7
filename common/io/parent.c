#include "common/io/parent.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

void parent_bind(uint64_t pid)
{
    if (pid == 0) {
        return;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* It may have ended before the line above: then nothing would come any more. */
    if ((uint64_t)getppid() != pid) {
        _exit(1);
    }
}
