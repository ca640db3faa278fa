// sigaction and signal. They are let pass but for two signals: the one that marks snapshots, and the one on which
// threads park. The program sees its default action where ours is, and gets ours where it asks for the default.
#include "native/interpose/signal_actions.h"

#include <errno.h>
#include <signal.h>

#include "native/process/elf_lookup.h"
#include "native/process/parking.h"
#include "native/process/snapshot_signal.h"

#define NH_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

using namespace nh::process;
using Sigaction = int(int, const struct sigaction*, struct sigaction*);
using Handler = void (*)(int);
using Signal = Handler(int, Handler);

template <typename Function>
Function* next(Function** known, const char* name) {
    Function* function = __atomic_load_n(known, __ATOMIC_RELAXED);
    if (function == nullptr) {
        function = reinterpret_cast<Function*>(find_next_function(name));
        __atomic_store_n(known, function, __ATOMIC_RELAXED);
    }
    return function;
}

Sigaction* real_sigaction;
Signal* real_signal;

bool marks_snapshots(int number) {
    return number == snapshot_signal();
}

// Whether the default action of a signal (not 0) is stood in for.
bool is_stood_in_for(int number) {
    return marks_snapshots(number) || number == static_cast<int>(parking_signal());
}

}  // namespace

namespace nh::interpose {

uint32_t list_signal_detours(Detour (&detours)[most_signal_detours]) {
    uint32_t count = 0;
    if (Sigaction* real = next(&real_sigaction, "sigaction")) {
        detours[count++] = {"sigaction", reinterpret_cast<uintptr_t>(real), reinterpret_cast<uintptr_t>(&::sigaction),
                            Effect::allocates, 0};
    }
    if (Signal* real = next(&real_signal, "signal")) {
        detours[count++] = {"signal", reinterpret_cast<uintptr_t>(real), reinterpret_cast<uintptr_t>(&::signal),
                            Effect::allocates, 0};
    }
    return count;
}

}  // namespace nh::interpose

NH_EXPORT int sigaction(int number, const struct sigaction* action, struct sigaction* before) noexcept {
    Sigaction* real = next(&real_sigaction, "sigaction");
    if (number == 0 || !is_stood_in_for(number)) {
        return real(number, action, before);
    }
    struct sigaction given = {};
    bool by_default = false;
    if (action != nullptr) {
        by_default = (action->sa_flags & SA_SIGINFO) == 0 && action->sa_handler == SIG_DFL;
        given = !by_default ? *action : marks_snapshots(number) ? snapshot_action() : parking_action();
    }
    const bool is_given_away = action != nullptr && !by_default && !marks_snapshots(number);
    if (is_given_away) {
        leave_parking_signal();  // before the program's handler is there: none of ours is to reach it
    }
    struct sigaction was = {};
    int result = real(number, action != nullptr ? &given : nullptr, &was);
    if (result == 0 && action != nullptr && marks_snapshots(number)) {
        note_signal_change(by_default);
    }
    if (result == 0 && before != nullptr) {
        *before = was;
        if (is_snapshot_action(was) || is_parking_action(was)) {
            *before = {};
            before->sa_handler = SIG_DFL;
        }
    }
    return result;
}

NH_EXPORT Handler signal(int number, Handler handler) noexcept {
    if (number == 0 || !is_stood_in_for(number) || handler == SIG_ERR) {
        return next(&real_signal, "signal")(number, handler);
    }
    struct sigaction action = {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, number);
    struct sigaction before = {};
    return sigaction(number, &action, &before) == 0 ? before.sa_handler : SIG_ERR;
}
