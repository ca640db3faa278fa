// Starts the collector: with the user's rights and more room than the target may have.
#pragma once
#include <sys/types.h>

namespace nh::launch {

// Runs argv with `link` as the descriptor named by NATIVEHEAP_SUPERVISOR, stdin empty, stdout and stderr ours, and
// nothing else open. Returns its pid, or -1 with errno set when there is no room for a process. When argv cannot be
// executed, the child says so on stderr and ends with code 1.
pid_t start_collector(char** argv, int link);

}  // namespace nh::launch
