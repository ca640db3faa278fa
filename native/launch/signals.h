// The supervisor's signals: taken by reading, so that no handler is installed and nothing of it is inherited.
#pragma once
#include <signal.h>
#include <sys/signalfd.h>

namespace nh::launch {

// What the shell gave us, and what a target must get.
struct Inherited {
    sigset_t mask;
    struct sigaction child;  // disposition of SIGCHLD; an ignored one would make children unwaitable
};

// Blocks every signal that the supervisor passes on, and SIGCHLD. False with errno set on failure.
bool take_signals(Inherited& inherited);

// A close-on-exec descriptor to read the blocked signals from, or -1 with errno set.
int open_signals();

// In a child, just before exec: mask and SIGCHLD as the shell had them.
void restore_signals(const Inherited& inherited);

// In the collector, just before exec: signals of the terminal and of the process group are for the target,
// which the collector outlives.
void ignore_group_signals();

// True for a signal that some process sent to the supervisor and meant for the target. What the kernel sends
// (terminal keys, a resized window) reaches the whole process group by itself.
bool meant_for_target(const signalfd_siginfo& info);

}  // namespace nh::launch
