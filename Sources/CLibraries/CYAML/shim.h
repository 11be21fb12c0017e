#pragma once
// libyaml; nothing needs a shim.
#include <yaml.h>
