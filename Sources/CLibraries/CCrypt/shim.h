#pragma once
// libxcrypt: password hashing.
#include <crypt.h>
#include <stddef.h>

/// The size of crypt(3)'s work area. The struct itself would be a tuple of 32768 elements in Swift.
static inline size_t ccrypt_work_area_size(void) {
    return sizeof(struct crypt_data);
}
