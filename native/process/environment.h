// The environment of this process, which must be readable before libc has set it up.
#pragma once

namespace nh::process {

// Ends with a null pointer; never null itself.
char** environment();

// Takes this library out of LD_PRELOAD and drops every NATIVEHEAP_*, so that children run without us.
void leave_no_trace_in_environment(char** environment);

// One line on standard error: "nativeheap: <subject> <what>".
void say(const char* subject, const char* what);

}  // namespace nh::process
