#include "native/process/snapshot_signal.h"

#include <errno.h>

#include "native/process/process.h"
#include "native/process/session.h"

namespace nh::process {
namespace {

using wire::signal_state;

int number;
signal_state state;

// It waits for nobody: the collector takes the snapshot when it sees the count.
void want_snapshot(int, siginfo_t*, void*) {
    int saved = errno;
    if (current_phase() == Phase::on) {
        __atomic_add_fetch(&region.header->snapshots_wanted, 1, __ATOMIC_RELEASE);
        transport::wake_collector(region);
    }
    errno = saved;
}

bool is_usable(int signal) {
    return signal > 0 && signal <= SIGRTMAX && signal != SIGKILL && signal != SIGSTOP;
}

void set_state(signal_state next) {
    state = next;
    // A forked child that has recorded nothing knows its parent's slot only.
    const uint32_t mark = transport::recording_mark();
    if (mark != 0) {
        __atomic_store_n(&region.slots[transport::slot_of(mark)].signal_state, static_cast<uint32_t>(next),
                         __ATOMIC_RELEASE);
    }
}

}  // namespace

void prepare_snapshot_signal(uint32_t wanted) {
    number = 0;
    state = signal_state::none;
    const int signal = static_cast<int>(wanted);
    struct sigaction before = {};
    if (!is_usable(signal) || ::sigaction(signal, nullptr, &before) != 0) {
        return;
    }
    struct sigaction action = snapshot_action();
    if (before.sa_handler == SIG_DFL && ::sigaction(signal, &action, nullptr) == 0) {
        number = signal;
        state = signal_state::ours;
    } else {
        state = signal_state::kept;
    }
}

void stop_snapshot_signal() {
    struct sigaction now = {};
    int taken = number;
    number = 0;  // from here on the program's changes are its own
    if (taken != 0 && ::sigaction(taken, nullptr, &now) == 0 && is_snapshot_action(now)) {
        struct sigaction none = {};
        none.sa_handler = SIG_DFL;
        ::sigaction(taken, &none, nullptr);
    }
}

signal_state snapshot_signal_state() {
    return state;
}

int snapshot_signal() {
    return number;
}

bool is_snapshot_action(const struct sigaction& action) {
    return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == want_snapshot;
}

struct sigaction snapshot_action() {
    struct sigaction action = {};
    action.sa_sigaction = want_snapshot;
    action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    return action;
}

void note_signal_change(bool by_default) {
    set_state(by_default ? signal_state::ours : signal_state::taken_back);
}

}  // namespace nh::process
