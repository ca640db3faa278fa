#include "native/launch/collector.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "native/launch/signals.h"

namespace nh::launch {
namespace {

constexpr int link_descriptor = 3;

// Limits that the user set for the target. Soft ones may always go up to the hard ones; the hard ones only for root.
void raise_limit(__rlimit_resource_t resource, rlim_t most) {
    rlimit raised = {most, most};
    if (setrlimit(resource, &raised) == 0 || getrlimit(resource, &raised) != 0)
        return;
    raised.rlim_cur = raised.rlim_max;
    setrlimit(resource, &raised);
}

void raise_limits() {
    raise_limit(RLIMIT_AS, RLIM_INFINITY);
    raise_limit(RLIMIT_DATA, RLIM_INFINITY);
    raise_limit(RLIMIT_CPU, RLIM_INFINITY);
    raise_limit(RLIMIT_FSIZE, RLIM_INFINITY);
    raise_limit(RLIMIT_NPROC, RLIM_INFINITY);
    raise_limit(RLIMIT_NOFILE, 20'000);
}

// Most runs are short: the collector's loops are to be compiled well as soon as they have shown to be loops, not after
// 100 ms in which nothing new was called.
void optimize_early() {
    setenv("DOTNET_TC_CallCountingDelayMs", "0", 1);
    setenv("DOTNET_TC_BackEdgeThreshold", "1000", 1);
}

// .NET reserves 256 GiB of addresses unless its heap is given a limit; it then reserves five times that limit.
void fit_runtime_into_address_space() {
    rlimit space;
    if (getrlimit(RLIMIT_AS, &space) != 0 || space.rlim_cur == RLIM_INFINITY)
        return;
    char limit[32];
    snprintf(limit, sizeof limit, "0x%llx", static_cast<unsigned long long>(space.rlim_cur / 16));
    setenv("DOTNET_GCHeapHardLimit", limit, 1);
    setenv("DOTNET_EnableWriteXorExecute", "0", 1);  // it maps code twice
}

bool starts_with(const char* text, const char* start) {
    return strncmp(text, start, strlen(start)) == 0;
}

// Settings meant for a .NET target: a diagnostic port would suspend the collector, a profiler would load into it.
bool is_runtime_setting(const char* entry) {
    return (starts_with(entry, "DOTNET_") && !starts_with(entry, "DOTNET_ROOT")) || starts_with(entry, "COMPlus_") ||
           starts_with(entry, "CORECLR_");
}

void remove_settings_of_target() {
    char** kept = environ;
    for (char** entry = environ; *entry != nullptr; entry++) {
        if (!is_runtime_setting(*entry) && !starts_with(*entry, "LD_PRELOAD="))
            *kept++ = *entry;
    }
    *kept = nullptr;
}

// The collector must neither eat the target's input nor keep its pipes and locks open.
bool arrange_descriptors(int link) {
    int moved = link == link_descriptor ? link : dup2(link, link_descriptor);
    if (moved != link_descriptor || fcntl(link_descriptor, F_SETFD, 0) != 0)
        return false;
    int empty = open("/dev/null", O_RDONLY);
    if (empty > 0)
        dup2(empty, 0);
    syscall(SYS_close_range, link_descriptor + 1, ~0U, 0);  // before Linux 5.9 they stay open
    return true;
}

[[noreturn]] void become_collector(char** argv, int link) {
    remove_settings_of_target();
    raise_limits();
    fit_runtime_into_address_space();
    optimize_early();
    ignore_group_signals();
    char number[16];
    snprintf(number, sizeof number, "%d", link_descriptor);
    setenv("NATIVEHEAP_SUPERVISOR", number, 1);
    if (arrange_descriptors(link))
        execvp(argv[0], argv);
    dprintf(2, "nativeheap: error: cannot start the collector %s: %s\n", argv[0], strerror(errno));
    _exit(1);
}

}  // namespace

pid_t start_collector(char** argv, int link) {
    pid_t pid = fork();
    if (pid == 0)
        become_collector(argv, link);
    return pid;
}

}  // namespace nh::launch
