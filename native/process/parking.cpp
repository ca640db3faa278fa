#include "native/process/parking.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "native/process/memory_copy.h"
#include "native/process/process.h"
#include "native/transport/kernel.h"

namespace nh::process {
namespace {

constexpr uint32_t most_threads = 4096;

struct ParkedThread {
    uint32_t tid;  // stored last
    uint32_t round;
    uint64_t stack;   // what is in use of its stack begins here
    uint64_t thread;  // its thread pointer
};

// Found from outside by its mark (src/Collect/Checks/ParkedProcess.cs).
struct ParkingLot {
    char mark[8];
    uint64_t signal;  // on which threads park; 0: none was taken, and none may be sent
    uint64_t count;   // grows; a round's threads are known by their number
    ParkedThread threads[most_threads];
};

[[gnu::used]] ParkingLot parking_lot = {{'N', 'H', 'E', 'A', 'P', 'P', 'R', 'K'}, 0, 0, {}};

void note(uint32_t round, const void* context) {
    uint64_t place = __atomic_fetch_add(&parking_lot.count, 1, __ATOMIC_RELAXED) % most_threads;
    ParkedThread* thread = &parking_lot.threads[place];
    thread->round = round;
    thread->stack = reinterpret_cast<uint64_t>(context);
    thread->thread = reinterpret_cast<uint64_t>(__builtin_thread_pointer());
    __atomic_store_n(&thread->tid, own_thread_id(), __ATOMIC_RELEASE);
}

// The frame below the context is the handler's own: whoever scans begins at the context.
void park(int, siginfo_t*, void* context) {
    uint32_t mark = transport::recording_mark();
    if (mark == 0) {
        return;
    }
    int saved = errno;
    wire::slot* slot = &region.slots[transport::slot_of(mark)];
    uint32_t round = __atomic_load_n(&slot->park_wanted, __ATOMIC_ACQUIRE);
    if (__atomic_load_n(&slot->park_done, __ATOMIC_ACQUIRE) == round) {
        bury_copy();  // which is what it was sent for, if anybody sent it
    } else {
        note(round, context);
        __atomic_add_fetch(&slot->parked, 1, __ATOMIC_RELEASE);
        transport::Patience patience(region);
        for (;;) {
            make_copy(transport::slot_of(mark), round);
            uint32_t done = __atomic_load_n(&slot->park_done, __ATOMIC_ACQUIRE);
            if (done == round || patience.look() != transport::Written::yes) {
                break;
            }
            timespec wait = {0, transport::look_again_ns};
            transport::kernel::futex(&slot->park_done, FUTEX_WAIT, done, &wait);
        }
    }
    errno = saved;
}

}  // namespace

void prepare_parking(uint32_t signal) {
    int number = static_cast<int>(signal);
    struct sigaction before = {};
    if (number < SIGRTMIN || number > SIGRTMAX || sigaction(number, nullptr, &before) != 0 ||
        before.sa_handler != SIG_DFL) {
        return;
    }
    struct sigaction action = parking_action();
    if (sigaction(number, &action, nullptr) == 0) {
        __atomic_store_n(&parking_lot.signal, signal, __ATOMIC_RELEASE);
    }
}

uint32_t parking_signal() {
    return static_cast<uint32_t>(__atomic_load_n(&parking_lot.signal, __ATOMIC_ACQUIRE));
}

void stop_parking() {
    struct sigaction now = {};
    // From here on sigaction tells the truth (signal_actions.cpp).
    const int number = static_cast<int>(__atomic_exchange_n(&parking_lot.signal, 0, __ATOMIC_ACQ_REL));
    if (number != 0 && sigaction(number, nullptr, &now) == 0 && is_parking_action(now)) {
        // One that was sent a moment ago must not end the program.
        struct sigaction none = {};
        none.sa_handler = SIG_IGN;
        sigaction(number, &none, nullptr);
        none.sa_handler = SIG_DFL;
        sigaction(number, &none, nullptr);
    }
}

bool is_parking_action(const struct sigaction& action) {
    return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == park;
}

struct sigaction parking_action() {
    struct sigaction action = {};
    action.sa_sigaction = park;
    action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
    return action;
}

void leave_parking_signal() {
    __atomic_store_n(&parking_lot.signal, 0, __ATOMIC_RELEASE);
    // A forked child that has recorded nothing knows its parent's slot only.
    const uint32_t mark = transport::recording_mark();
    if (mark != 0) {
        __atomic_store_n(&region.slots[transport::slot_of(mark)].park_signal, 0, __ATOMIC_RELEASE);
    }
}

}  // namespace nh::process
