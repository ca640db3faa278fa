// A coroutine that nobody will resume: its stack, which has its context on it, is lost with what it holds.
// leaks: definite 65536/1, indirect 100/1
#include <ucontext.h>

#include "leaks.h"

static ucontext_t* current;
static ucontext_t back;

static void run(void) {
    void** volatile held = make(100);
    swapcontext(current, &back);
    free(held);
}

APART static void start(void) {
    char* stack = (char*)make(65536);
    current = (ucontext_t*)stack;
    getcontext(current);
    current->uc_stack.ss_sp = stack + sizeof *current;
    current->uc_stack.ss_size = 65536 - sizeof *current;
    makecontext(current, run, 0);
    swapcontext(&back, current);
    current = NULL;
    memset(&back, 0, sizeof back);
}

int main(void) {
    start();
    forget();
}
