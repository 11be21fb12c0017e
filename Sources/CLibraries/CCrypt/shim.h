#pragma once
// libxcrypt: password hashing.
#include <crypt.h>
