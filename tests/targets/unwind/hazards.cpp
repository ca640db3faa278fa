// Allocates in every kind of frame: in handlers on alternate stacks, in coroutines, below alloca and after longjmp,
// in destructors that an exception runs, at 300 and at 2,000 levels, in the first call through lazy binding, in
// libraries that come and go, and at any instruction (a handler that a timer calls allocates).
#include <alloca.h>
#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>

#include <string>
#include <thread>

namespace {

void allocate() {
    void* block = malloc(10);
    asm volatile("" : : "r"(block) : "memory");
    free(block);
}

[[gnu::noinline]] void recurse(int levels) {
    if (levels == 0) {
        allocate();
    } else {
        recurse(levels - 1);
    }
    asm volatile("");
}

[[gnu::noinline]] void below_variable_frame(size_t bytes) {
    auto block = static_cast<char*>(alloca(bytes));
    memset(block, 1, bytes);
    asm volatile("" : : "r"(block) : "memory");
    allocate();
    asm volatile("");
}

struct AllocatesWhenDestroyed {
    ~AllocatesWhenDestroyed() { allocate(); }
};

[[gnu::noinline]] void throw_through(int levels) {
    AllocatesWhenDestroyed local;
    if (levels == 0) {
        throw std::string("a text that is too long for a small string");
    }
    throw_through(levels - 1);
}

jmp_buf place;
ucontext_t main_context, coroutine_context;
volatile sig_atomic_t ticks;

void on_coroutine() {
    for (int i = 0; i < 50; ++i) {
        recurse(i);
        swapcontext(&coroutine_context, &main_context);
    }
}

void run_coroutine() {
    static char stack[65536];
    getcontext(&coroutine_context);
    coroutine_context.uc_stack.ss_sp = stack;
    coroutine_context.uc_stack.ss_size = sizeof stack;
    coroutine_context.uc_link = &main_context;
    makecontext(&coroutine_context, on_coroutine, 0);
    for (int i = 0; i < 51; ++i) {
        swapcontext(&main_context, &coroutine_context);
        allocate();
    }
}

// The work between the ticks does not allocate, so that malloc is not called from within malloc.
void work_under_a_timer() {
    char text[64];
    double sum = 0;
    while (ticks < 200) {
        snprintf(text, sizeof text, "%d %d", static_cast<int>(ticks), 7);
        sum += strtod(text, nullptr);
        qsort(text, strlen(text), 1,
              [](const void* a, const void* b) { return *static_cast<const char*>(a) - *static_cast<const char*>(b); });
    }
    asm volatile("" : : "r"(&sum) : "memory");
}

void use_libraries(const std::string& folder) {
    for (int i = 0; i < 10; ++i) {
        const char* name = i % 2 == 0 ? "/libunwind_first.so" : "/libunwind_second.so";
        void* handle = dlopen((folder + name).c_str(), RTLD_NOW);
        reinterpret_cast<void (*)(void (*)())>(dlsym(handle, i % 2 == 0 ? "call_first" : "call_second"))(allocate);
        // Kept open: libunwind would not notice another library at the same place.
    }
    void* lazy = dlopen((folder + "/libunwind_lazy.so").c_str(), RTLD_LAZY);
    *reinterpret_cast<void (**)()>(dlsym(lazy, "unwind_lazy_hook")) = allocate;
    reinterpret_cast<void (*)()>(dlsym(lazy, "unwind_lazy_call"))();
}

}  // namespace

int main(int, char** arguments) {
    stack_t stack{};
    stack.ss_size = 1 << 20;
    stack.ss_sp = mmap(nullptr, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigaltstack(&stack, nullptr);
    struct sigaction action {};
    action.sa_handler = [](int) {
        allocate();
        ticks = ticks + 1;
    };
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGALRM, &action, nullptr);
    for (int i = 0; i < 300; ++i) {
        recurse(i);
        raise(SIGALRM);
    }
    recurse(2000);
    for (size_t bytes = 16; bytes < 1000000; bytes *= 3) {
        below_variable_frame(bytes);
    }
    for (int i = 0; i < 20; ++i) {
        try {
            throw_through(i);
        } catch (const std::string&) {
            allocate();
        }
    }
    volatile int rounds = 0;
    setjmp(place);
    allocate();
    if (rounds < 10) {
        rounds = rounds + 1;
        longjmp(place, 1);
    }
    run_coroutine();
    std::thread([] { recurse(100); }).join();
    const std::string self = arguments[0];
    use_libraries(self.substr(0, self.rfind('/')));
    ticks = 0;
    const itimerval interval = {{0, 997}, {0, 997}};
    const itimerval none = {};
    setitimer(ITIMER_REAL, &interval, nullptr);
    work_under_a_timer();
    setitimer(ITIMER_REAL, &none, nullptr);
    return 0;
}
