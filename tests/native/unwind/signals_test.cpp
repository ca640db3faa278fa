// Signal handlers: on the same stack, on an alternate one, nested, and at any instruction.
#include <gtest/gtest.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include <atomic>
#include <thread>

#include "tests/native/unwind/both_walks.h"
#include "tests/native/unwind/known_code.h"

namespace nh::unwind::test {
namespace {

BothWalks taken;
uintptr_t interrupted_pc;

void on_signal(int, siginfo_t*, void* context) {
    interrupted_pc = static_cast<uintptr_t>(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
    taken = take_both();
}

class AlternateStack {
  public:
    AlternateStack() {
        memory_ = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        stack_t stack{};
        stack.ss_sp = memory_;
        stack.ss_size = size;
        sigaltstack(&stack, &old_);
    }
    ~AlternateStack() {
        sigaltstack(&old_, nullptr);
        munmap(memory_, size);
    }

  private:
    static constexpr size_t size = 256 * 1024;
    void* memory_;
    stack_t old_{};
};

class Handler {
  public:
    Handler(int signal, void (*handle)(int, siginfo_t*, void*), int flags) : signal_(signal) {
        struct sigaction action {};
        action.sa_sigaction = handle;
        action.sa_flags = SA_SIGINFO | flags;
        sigaction(signal, &action, &old_);
    }
    ~Handler() { sigaction(signal_, &old_, nullptr); }

  private:
    int signal_;
    struct sigaction old_ {};
};

bool has_pc(const std::vector<uintptr_t>& pcs, uintptr_t pc) {
    for (uintptr_t each : pcs) {
        if (each == pc) {
            return true;
        }
    }
    return false;
}

TEST(Signals, handler_on_the_same_stack) {
    const Handler handler(SIGUSR1, on_signal, 0);
    raise(SIGUSR1);
    expect_same(taken);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
    EXPECT_TRUE(has_pc(taken.ours.pcs, interrupted_pc + 1));
}

TEST(Signals, handler_on_an_alternate_stack) {
    const AlternateStack stack;
    const Handler handler(SIGUSR1, on_signal, SA_ONSTACK);
    raise(SIGUSR1);
    expect_same(taken);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
    EXPECT_TRUE(has_pc(taken.ours.pcs, interrupted_pc + 1));
}

TEST(Signals, handler_in_a_thread_whose_first_walk_is_on_the_alternate_stack) {
    std::thread([] {
        const AlternateStack stack;
        const Handler handler(SIGUSR1, on_signal, SA_ONSTACK);
        raise(SIGUSR1);
    }).join();
    expect_same(taken);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
}

TEST(Signals, handler_interrupted_by_another_signal) {
    const AlternateStack stack;
    const Handler outer(
        SIGUSR1, [](int, siginfo_t*, void*) { raise(SIGUSR2); }, SA_ONSTACK);
    const Handler inner(SIGUSR2, on_signal, 0);
    raise(SIGUSR1);
    expect_same(taken);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
}

TEST(Signals, a_fault_in_code_of_the_program) {
    const AlternateStack stack;
    static sigjmp_buf place;
    const Handler handler(
        SIGSEGV,
        [](int signal, siginfo_t* info, void* context) {
            on_signal(signal, info, context);
            siglongjmp(place, 1);
        },
        SA_ONSTACK);
    if (sigsetjmp(place, 1) == 0) {
        volatile uintptr_t nowhere = 8;
        *reinterpret_cast<volatile int*>(nowhere) = 1;
    }
    expect_same(taken);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
    EXPECT_TRUE(has_pc(taken.ours.pcs, interrupted_pc + 1));
}

// The kernel's trap flag stops the program after every instruction: each state of the prologues, epilogues and the
// PLT is walked. spin_known's frames are known by hand, so libunwind is not asked.
std::atomic<uint32_t> steps, wrong;
volatile int stop_spinning;

void on_step(int, siginfo_t*, void* context) {
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    const Walk walk = take_ours();
    const size_t expected_inside = count_frames(
        walk.pcs, spin_known, static_cast<size_t>(spin_known_end - reinterpret_cast<const char*>(spin_known)));
    const auto pc = static_cast<uintptr_t>(registers[REG_RIP]);
    wrong += walk.end != StackEnd::root || expected_inside > 1 || !has_pc(walk.pcs, pc + 1);
    if (++steps == 4000) {
        stop_spinning = 1;
    }
    if (stop_spinning != 0 && expected_inside == 0) {
        registers[REG_EFL] &= ~0x100L;
    }
}

TEST(Signals, at_every_instruction_of_known_code) {
    const AlternateStack stack;
    const Handler handler(SIGTRAP, on_step, SA_ONSTACK);
    steps = 0;
    wrong = 0;
    stop_spinning = 0;
    asm volatile("subq $128, %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\taddq $128, %%rsp" ::: "memory", "cc");
    spin_known(&stop_spinning);
    EXPECT_GE(steps, 4000u);
    EXPECT_EQ(wrong, 0u);
}

}  // namespace
}  // namespace nh::unwind::test
