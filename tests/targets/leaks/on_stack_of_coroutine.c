// A coroutine that waits has a block for its stack, and a local variable there holds another.
// leaks: reachable 65636/2
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
    coroutine.uc_stack.ss_sp = make(65536);
    coroutine.uc_stack.ss_size = 65536;
    coroutine.uc_link = &back;
    makecontext(&coroutine, run, 0);
    swapcontext(&back, &coroutine);
    forget();
}
