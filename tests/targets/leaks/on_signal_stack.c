// The program ends in a signal handler on its alternate stack; both stacks hold a block.
// leaks: definite 50/1, reachable 300/2
#include <signal.h>

#include "leaks.h"

static char stack[65536];

static void handle(int signal) {
    void** volatile held = make(100);
    lose(50);
    forget();
    exit(held == NULL ? signal : 0);
}

int main(void) {
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_ONSTACK};
    void** volatile held = make(200);
    sigaltstack(&other, NULL);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    return held == NULL;
}
