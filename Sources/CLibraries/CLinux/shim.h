#pragma once
// What Swift's module of the C library lacks: <malloc.h>, and the kernel's calls that take any number of arguments.
#include <malloc.h>
#include <sys/prctl.h>

/// Zero if the process can no longer be dumped, nor be looked into by others of its user.
static inline int clinux_forbid_dumps(void) {
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
