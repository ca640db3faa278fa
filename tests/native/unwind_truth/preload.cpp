// Preloaded into a real program: at its allocations, compares the walk with another unwinder's (libunwind's on x86-64)
// frame by frame, and the tree's path with the walk. Writes the figures to the file named by UNWIND_TRUTH_OUT, one line
// a process:
//   compared N differing N exact N lost N depth_limit N signal N uncovered N path_errors N
// and the first stacks that differ. UNWIND_TRUTH_EVERY=k compares one in k; UNWIND_TRUTH_TIME=1 measures captures;
// UNWIND_TRUTH_PASS_INTERRUPTED=1 leaves out stacks with a signal handler.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#else
#include <unwind.h>
#endif

#include "native/stacks/capture.h"
#include "native/unwind/rows.h"
#include "native/unwind/unwinder.h"

namespace {

using namespace nh;

constexpr uint32_t module_capacity = 1024;
constexpr uint32_t node_capacity = 4u << 20;
constexpr uint32_t most_shown = 20;
constexpr uint64_t slow_ns = 20000;  // the thread was put off the processor, or many rows were compiled

struct ThreadState {
    stacks::Scratch scratch;
    uintptr_t ours[wire::max_frames];
    uintptr_t theirs[wire::max_frames + 1];
};

struct Figures {
    uint64_t calls, compared, differing, exact, lost, depth_limit, signal, uncovered, path_errors, frames;
    uint64_t capture_ns, captures, slow_captures;
};

wire::module modules[module_capacity];
wire::node nodes[node_capacity];
uint32_t module_count;
uint32_t node_count = 1;
uint64_t clock_ns = 1;
int state;  // 0 not begun, 1 beginning, 2 ready, 3 over
uint64_t every = 1;
bool timed;
bool by_signals;
bool pass_interrupted;
int out = -1;
Figures figures;
__thread bool inside;
__thread ThreadState* mine;

void add(uint64_t& figure, uint64_t by = 1) {
    __atomic_fetch_add(&figure, by, __ATOMIC_RELAXED);
}

void on_tick(int);

void start_ticking() {
    struct sigaction action {};
    action.sa_handler = on_tick;
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    sigaction(SIGPROF, &action, nullptr);
    const itimerval interval = {{0, 1009}, {0, 1009}};
    setitimer(ITIMER_PROF, &interval, nullptr);
}

void begin() {
    int none = 0;
    if (!__atomic_compare_exchange_n(&state, &none, 1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
        return;
    }
    const char* path = getenv("UNWIND_TRUTH_OUT");
    const char* step = getenv("UNWIND_TRUTH_EVERY");
    every = step == nullptr ? 1 : strtoull(step, nullptr, 10);
    timed = getenv("UNWIND_TRUTH_TIME") != nullptr;
    by_signals = getenv("UNWIND_TRUTH_SIGNALS") != nullptr;
    pass_interrupted = getenv("UNWIND_TRUTH_PASS_INTERRUPTED") != nullptr;
    const bool good = path != nullptr && every != 0 &&
                      unwind::initialise({modules, module_capacity, &module_count, &clock_ns, 0}, {}) &&
                      stacks::initialise({nodes, node_capacity, &node_count});
    if (good) {
        out = fcntl(open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666), F_DUPFD_CLOEXEC, 700);
    }
    if (good && by_signals) {
        start_ticking();
    }
    __atomic_store_n(&state, good && out >= 0 ? 2 : 3, __ATOMIC_RELEASE);
}

#if defined(__x86_64__)

uint32_t walk_by_other(const unwind::Registers& at, uintptr_t* pcs, uint32_t capacity) {
    unw_context_t context;
    unw_getcontext(&context);
    unw_cursor_t cursor;
    if (unw_init_local(&cursor, &context) != 0) {
        return 0;
    }
    unw_word_t pc = 0;
    unw_word_t sp = 0;
    do {
        if (unw_step(&cursor) <= 0) {
            return 0;
        }
        unw_get_reg(&cursor, UNW_REG_IP, &pc);
        unw_get_reg(&cursor, UNW_REG_SP, &sp);
    } while (pc != at.pc || sp != at.sp);
    uint32_t count = 0;
    while (count < capacity) {
        unw_get_reg(&cursor, UNW_REG_IP, &pc);
        if (pc == 0) {
            break;
        }
        pcs[count++] = pc + (unw_is_signal_frame(&cursor) > 0 ? 1 : 0);  // true of the frame that was interrupted
        if (unw_step(&cursor) <= 0) {
            break;
        }
    }
    return count;
}

#else

struct OtherWalk {
    const unwind::Registers& at;
    uintptr_t* pcs;
    uint32_t capacity, count;
    bool begun;
};

_Unwind_Reason_Code take_frame(_Unwind_Context* context, void* argument) {
    auto& walk = *static_cast<OtherWalk*>(argument);
    int interrupted = 0;
    const uintptr_t pc = _Unwind_GetIPInfo(context, &interrupted);
    walk.begun |= pc == walk.at.pc && _Unwind_GetCFA(context) == walk.at.sp;
    if (walk.begun && pc != 0) {
        walk.pcs[walk.count++] = pc + (interrupted != 0 ? 1 : 0);
    }
    return walk.count == walk.capacity ? _URC_END_OF_STACK : _URC_NO_REASON;
}

// By the compiler's own unwinder, which throws exceptions: libunwind may not be there for other machines.
uint32_t walk_by_other(const unwind::Registers& at, uintptr_t* pcs, uint32_t capacity) {
    OtherWalk walk = {at, pcs, capacity, 0, false};
    _Unwind_Backtrace(take_frame, &walk);
    return walk.count;
}

#endif

void show_pc(const char* whose, uint32_t depth, uintptr_t pc) {
    Dl_info info = {};
    if (pc != 0 && dladdr(reinterpret_cast<void*>(pc - 1), &info) != 0) {
        dprintf(out, "  %s %u %s+0x%lx %s\n", whose, depth, info.dli_fname,
                pc - reinterpret_cast<uintptr_t>(info.dli_fbase), info.dli_sname == nullptr ? "?" : info.dli_sname);
    } else {
        dprintf(out, "  %s %u 0x%lx\n", whose, depth, pc);
    }
}

void show_difference(const ThreadState& thread, uint32_t our_count, uint32_t their_count) {
    uint32_t first = 0;
    while (first < our_count && first < their_count && thread.ours[first] == thread.theirs[first]) {
        ++first;
    }
    dprintf(out, " difference at frame %u: ours has %u, other %u\n", first, our_count, their_count);
    for (uint32_t i = first < 2 ? 0 : first - 2; i < first + 3; ++i) {
        if (i < our_count) {
            show_pc("ours", i, thread.ours[i]);
        }
        if (i < their_count) {
            show_pc("other", i, thread.theirs[i]);
        }
    }
}

void check_path(const ThreadState& thread, uint32_t count, unwind::StackEnd end, uint32_t leaf) {
    bool good =
        leaf != 0 && leaf < node_capacity && nodes[leaf].pc == static_cast<uint64_t>(wire::marker::entry_malloc);
    uint32_t node = nodes[leaf].parent;
    for (uint32_t i = 0; good && i < count; ++i) {
        good = nodes[node].pc == thread.ours[i] && nodes[node].parent < node;
        node = nodes[node].parent;
    }
    if (good && end != unwind::StackEnd::root) {
        const wire::marker expected = end == unwind::StackEnd::lost      ? wire::marker::lost
                                      : end == unwind::StackEnd::guessed ? wire::marker::guessed
                                                                         : wire::marker::depth_limit;
        good = nodes[node].pc == static_cast<uint64_t>(expected);
        node = nodes[node].parent;
    }
    if (good && node != 0) {
        good = nodes[node].pc >= static_cast<uint64_t>(wire::marker::generation) &&
               nodes[node].pc < wire::first_code_address && nodes[node].parent == 0;
    }
    add(figures.path_errors, good ? 0 : 1);
}

// Whether the other unwinder ended where a stub was interrupted that nothing describes (aarch64; walked right: see
// tests/native/aarch64/programs/stepping.cpp).
bool ends_in_stub(const ThreadState& thread, uint32_t their_count) {
    return their_count != 0 && unwind::find_row(thread.theirs[their_count - 1]).kind() == unwind::RowKind::from_link;
}

void compare(ThreadState& thread, const unwind::Registers& at) {
    unwind::StackEnd end;
    const uint32_t our_count = unwind::walk(at, thread.scratch.bounds, thread.ours, wire::max_frames, &end);
    add(figures.lost, end == unwind::StackEnd::lost);
    bool exact = false;
    bool signal = false;
    bool uncovered = false;
    for (uint32_t i = 0; i < our_count; ++i) {
        const unwind::RowKind kind = unwind::find_row(thread.ours[i]).kind();
        exact |= kind == unwind::RowKind::exact;
        signal |= kind == unwind::RowKind::signal;
        uncovered |= kind == unwind::RowKind::uncovered;
    }
    if (signal && pass_interrupted) {
        return;
    }
    const uint32_t their_count = walk_by_other(at, thread.theirs, wire::max_frames);
    add(figures.compared);
    add(figures.frames, our_count);
    add(figures.depth_limit, end == unwind::StackEnd::depth_limit);
    add(figures.exact, exact);
    add(figures.signal, signal);
    add(figures.uncovered, uncovered);
    const bool agree = memcmp(thread.ours, thread.theirs, their_count * sizeof(uintptr_t)) == 0;
    if (our_count < their_count || !agree || (our_count != their_count && !ends_in_stub(thread, their_count))) {
        if (__atomic_fetch_add(&figures.differing, 1, __ATOMIC_RELAXED) < most_shown) {
            show_difference(thread, our_count, their_count);
        }
    }
    check_path(thread, our_count, end, stacks::capture(thread.scratch, at, wire::marker::entry_malloc));
}

uint64_t now() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<uint64_t>(time.tv_sec) * 1000000000 + static_cast<uint64_t>(time.tv_nsec);
}

[[gnu::noinline]] void on_allocation(const unwind::Registers& at, bool ticked = false) {
    if (inside || __atomic_load_n(&state, __ATOMIC_ACQUIRE) == 3) {
        return;
    }
    inside = true;
    const int saved_errno = errno;
    begin();
    if (mine == nullptr && __atomic_load_n(&state, __ATOMIC_ACQUIRE) == 2) {
        void* memory = mmap(nullptr, sizeof(ThreadState), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        mine = memory == MAP_FAILED ? nullptr : static_cast<ThreadState*>(memory);
    }
    if (mine != nullptr && timed) {
        const uint64_t before = now();
        stacks::capture(mine->scratch, at, wire::marker::entry_malloc);
        const uint64_t spent = now() - before;
        if (spent < slow_ns) {
            add(figures.capture_ns, spent);
            add(figures.captures);
        } else {
            add(figures.slow_captures);
        }
    } else if (mine != nullptr && by_signals == ticked &&
               __atomic_fetch_add(&figures.calls, 1, __ATOMIC_RELAXED) % every == 0) {
        compare(*mine, at);
    }
    errno = saved_errno;
    inside = false;
}

void on_tick(int) {
    on_allocation(unwind::caller_registers(), true);
}

[[gnu::destructor]] void finish() {
    if (__atomic_exchange_n(&state, 3, __ATOMIC_ACQ_REL) != 2) {
        return;
    }
    if (timed) {
        const uint64_t before = now();
        uint64_t clock = 0;
        for (int i = 0; i < 100000; ++i) {
            clock += now();
        }
        const double clock_cost = static_cast<double>(now() - before + (clock & 1)) / 100000;
        dprintf(out, "captures %lu ns %.1f slower_than_20_us %lu nodes %u program %s\n", figures.captures,
                static_cast<double>(figures.capture_ns) / static_cast<double>(figures.captures) - clock_cost,
                figures.slow_captures, node_count, program_invocation_short_name);
        return;
    }
    dprintf(out,
            "compared %lu differing %lu exact %lu lost %lu depth_limit %lu signal %lu uncovered %lu path_errors %lu "
            "depth %.1f nodes %u modules %u generation %u program %s\n",
            figures.compared, figures.differing, figures.exact, figures.lost, figures.depth_limit, figures.signal,
            figures.uncovered, figures.path_errors,
            static_cast<double>(figures.frames) / static_cast<double>(figures.compared), node_count, module_count,
            unwind::generation(), program_invocation_short_name);
}

}  // namespace

// The allocator that the program would have had without us; libc's or its own.
template <typename Function>
Function next(Function& known, const char* name) {
    if (known == nullptr) {
        known = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
    }
    return known;
}

void* (*next_malloc)(size_t);
void* (*next_calloc)(size_t, size_t);
void* (*next_realloc)(void*, size_t);

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED void* malloc(size_t size) {
    on_allocation(nh::unwind::caller_registers());
    return next(next_malloc, "malloc")(size);
}

EXPORTED void* calloc(size_t count, size_t size) {
    on_allocation(nh::unwind::caller_registers());
    return next(next_calloc, "calloc")(count, size);
}

EXPORTED void* realloc(void* block, size_t size) {
    on_allocation(nh::unwind::caller_registers());
    return next(next_realloc, "realloc")(block, size);
}

// Programs that leave without running destructors.
EXPORTED [[noreturn]] void _exit(int code) {
    finish();
    for (;;) {
        syscall(SYS_exit_group, code);
    }
}
