#include "native/launch/signals.h"

#include <fcntl.h>
#include <unistd.h>

namespace nh::launch {
namespace {

// Not taken: what cannot be, faults of our own, and job control, by which a shell expects us to stop.
constexpr int kept_default[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS,  SIGFPE,  SIGILL,
                                SIGTRAP, SIGABRT, SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT};

// SIGXFSZ and SIGPIPE: the collector sees the error of the write instead.
constexpr int ignored_by_collector[] = {SIGINT,  SIGQUIT, SIGTERM, SIGHUP,  SIGTSTP,
                                        SIGTTOU, SIGUSR1, SIGUSR2, SIGXFSZ, SIGPIPE};

sigset_t taken_signals() {
    sigset_t taken;
    sigfillset(&taken);
    for (int signal : kept_default)
        sigdelset(&taken, signal);
    return taken;
}

}  // namespace

bool take_signals(Inherited& inherited) {
    struct sigaction standard = {};
    standard.sa_handler = SIG_DFL;
    sigset_t taken = taken_signals();
    return sigprocmask(SIG_BLOCK, &taken, &inherited.mask) == 0 && sigaction(SIGCHLD, &standard, &inherited.child) == 0;
}

int open_signals() {
    sigset_t taken = taken_signals();
    return signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
}

void restore_signals(const Inherited& inherited) {
    sigaction(SIGCHLD, &inherited.child, nullptr);
    sigprocmask(SIG_SETMASK, &inherited.mask, nullptr);
}

void ignore_group_signals() {
    struct sigaction ignore = {};
    ignore.sa_handler = SIG_IGN;
    for (int signal : ignored_by_collector)
        sigaction(signal, &ignore, nullptr);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
}

bool meant_for_target(const signalfd_siginfo& info) {
    return info.ssi_signo != static_cast<uint32_t>(SIGCHLD) && info.ssi_code != SI_KERNEL;
}

}  // namespace nh::launch
