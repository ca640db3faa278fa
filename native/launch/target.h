// Starts the target as the shell would have: limits, mask, dispositions, descriptors and environment are the
// supervisor's own, but for the settings asked for.
#pragma once
#include <stddef.h>
#include <sys/types.h>

#include "native/launch/signals.h"

namespace nh::launch {

struct Command {
    char** argv;            // looked up in PATH when its first word has no slash
    const char* settings;   // NUL-terminated NAME=VALUE, back to back
    size_t settings_bytes;  // the last byte is 0 when there is any
};

// Returns the target's pid, or -1 with errno set when it could not be executed (no process is left then).
pid_t start_target(const Command& command, const Inherited& inherited);

}  // namespace nh::launch
