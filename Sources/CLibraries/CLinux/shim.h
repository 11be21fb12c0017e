#pragma once
// The kernel's calls that take arguments of any number, which Swift cannot call.
#include <sys/prctl.h>

/// Zero if the process can no longer be dumped, nor be looked into by others of its user.
static inline int clinux_forbid_dumps(void) {
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
