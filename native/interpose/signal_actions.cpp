// sigaction and signal. They are let pass but for one signal: the one that marks snapshots. The program sees its
// default action where ours is, and gets ours where it asks for the default.
#include <errno.h>
#include <signal.h>

#include "native/process/elf_lookup.h"
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

}  // namespace

NH_EXPORT int sigaction(int number, const struct sigaction* action, struct sigaction* before) noexcept {
    Sigaction* real = next(&real_sigaction, "sigaction");
    if (number == 0 || number != snapshot_signal()) {
        return real(number, action, before);
    }
    struct sigaction given = {};
    bool by_default = false;
    if (action != nullptr) {
        by_default = (action->sa_flags & SA_SIGINFO) == 0 && action->sa_handler == SIG_DFL;
        given = by_default ? snapshot_action() : *action;
    }
    struct sigaction was = {};
    int result = real(number, action != nullptr ? &given : nullptr, &was);
    if (result == 0 && action != nullptr) {
        note_signal_change(by_default);
    }
    if (result == 0 && before != nullptr) {
        *before = was;
        if (is_snapshot_action(was)) {
            *before = {};
            before->sa_handler = SIG_DFL;
        }
    }
    return result;
}

NH_EXPORT Handler signal(int number, Handler handler) noexcept {
    if (number == 0 || number != snapshot_signal() || handler == SIG_ERR) {
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
