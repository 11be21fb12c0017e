#pragma once
// The C interface of libsnappy; nothing needs a shim.
#include <snappy-c.h>
