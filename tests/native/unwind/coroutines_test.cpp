// Stacks that are not the thread's own.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <thread>

#include "tests/native/unwind/both_walks.h"
#include "tests/native/unwind/known_code.h"
#include "tests/native/unwind/recursion.h"

namespace nh::unwind::test {
namespace {

BothWalks taken;
void take() {
    taken = take_both();
}

ucontext_t main_context, coroutine_context;

// A stack between two pages that cannot be read.
class GuardedStack {
  public:
    explicit GuardedStack(size_t bytes) : bytes_(bytes) {
        memory_ = static_cast<char*>(mmap(nullptr, bytes + 2 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        mprotect(memory_ + 4096, bytes, PROT_READ | PROT_WRITE);
    }
    ~GuardedStack() { munmap(memory_, bytes_ + 2 * 4096); }
    char* low() const { return memory_ + 4096; }
    char* top() const { return memory_ + 4096 + bytes_; }

  private:
    size_t bytes_;
    char* memory_;
};

void make_coroutine(const GuardedStack& stack, void (*body)()) {
    getcontext(&coroutine_context);
    coroutine_context.uc_stack.ss_sp = stack.low();
    coroutine_context.uc_stack.ss_size = static_cast<size_t>(stack.top() - stack.low());
    coroutine_context.uc_link = &main_context;
    makecontext(&coroutine_context, body, 0);
}

TEST(Coroutines, made_by_makecontext_end_at_their_root) {
    const GuardedStack stack(256 * 1024);
    make_coroutine(stack, [] {
        take();
        swapcontext(&coroutine_context, &main_context);
        recurse_without_frame_pointer(100, take);
    });
    swapcontext(&main_context, &coroutine_context);
    expect_same(taken);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
    EXPECT_LT(taken.ours.pcs.size(), 6u);
    take();
    expect_same(taken);
    swapcontext(&main_context, &coroutine_context);
    expect_same(taken);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
    EXPECT_GT(taken.ours.pcs.size(), 100u);
}

// The bounds of one coroutine's stack must not be believed of another at the same place.
TEST(Coroutines, a_smaller_stack_where_a_larger_one_was) {
    char* place =
        static_cast<char*>(mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    on_other_stack(place + (1 << 20), [] { recurse_without_frame_pointer(1000, take); });
    EXPECT_EQ(taken.ours.end, StackEnd::root);
    munmap(place + 65536, (1 << 20) - 65536);
    static uintptr_t wrong_fp;
    wrong_fp = reinterpret_cast<uintptr_t>(place) + 65536 + 4096;
    on_other_stack(place + 65536, [] { uncovered_with_rbp(take, wrong_fp); });
    EXPECT_EQ(taken.ours.end, StackEnd::lost);
    munmap(place, 65536);
}

TEST(Coroutines, a_frame_whose_caller_is_on_the_threads_own_stack) {
    const GuardedStack stack(65536);
    on_other_stack(stack.top(), take);
    expect_same(taken);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
}

TEST(Coroutines, a_frame_whose_caller_is_on_a_stack_never_walked_before) {
    std::thread([] {
        const GuardedStack stack(65536);
        on_other_stack(stack.top(), take);
    }).join();
    expect_same(taken);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
}

TEST(Coroutines, any_frame_pointer_on_a_guarded_stack_is_harmless) {
    static const GuardedStack stack(65536);
    on_other_stack(stack.top() - 64, [] {
        for (char* value = stack.low() - 8192; value < stack.top() + 8192; value += 8) {
            uncovered_with_rbp([] { take_ours(); }, reinterpret_cast<uintptr_t>(value));
        }
    });
}

TEST(Coroutines, a_threads_stack_that_the_program_gave) {
    const GuardedStack stack(1 << 20);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    ASSERT_EQ(pthread_attr_setstack(&attributes, stack.low(), 1 << 20), 0);
    pthread_t thread;
    ASSERT_EQ(pthread_create(
                  &thread, &attributes,
                  [](void*) -> void* {
                      take();
                      return nullptr;
                  },
                  nullptr),
              0);
    pthread_join(thread, nullptr);
    pthread_attr_destroy(&attributes);
    expect_same(taken);
    EXPECT_EQ(taken.ours.end, StackEnd::root);
}

}  // namespace
}  // namespace nh::unwind::test
