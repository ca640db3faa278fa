// The program ends while it runs on a block, to which nothing else points.
// leaks: reachable 65836/3
#include <ucontext.h>

#include "leaks.h"

static ucontext_t back;

static void run(void) {
    void** volatile held = make(100);
    forget();
    exit(held == NULL);
}

APART static void start(void) {
    ucontext_t coroutine;
    getcontext(&coroutine);
    coroutine.uc_stack.ss_sp = make(65536);
    coroutine.uc_stack.ss_size = 65536;
    coroutine.uc_link = &back;
    makecontext(&coroutine, run, 0);
    swapcontext(&back, &coroutine);
}

int main(void) {
    void** volatile held = make(200);
    start();
    return held == NULL;
}
