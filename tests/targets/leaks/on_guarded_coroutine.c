// A coroutine's stack is a block with a guard page in it.
// leaks: reachable 65636/2
#include <sys/mman.h>
#include <ucontext.h>

#include "leaks.h"

static ucontext_t back, coroutine;

static void run(void) {
    void** volatile held = make(100);
    swapcontext(&coroutine, &back);
    free(held);
}

int main(void) {
    getcontext(&coroutine);
    char* stack = (char*)aligned_alloc(4096, 65536);
    memset(stack, 0, 65536);
    mprotect(stack + 4096, 4096, PROT_NONE);
    coroutine.uc_stack.ss_sp = stack;
    coroutine.uc_stack.ss_size = 65536;
    makecontext(&coroutine, run, 0);
    swapcontext(&back, &coroutine);
    forget();
}
