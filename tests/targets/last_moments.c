// Hazard: allocation where a program has hardly any ground left: in signal handlers on a small stack of their own, in
// exit handlers, and in destructors after those. last_moments [nothing]
#include <signal.h>

#include "account.h"

enum { stack_bytes = 16384, rounds = 100 };

static struct account sum;
static int is_idle;
static char stack[stack_bytes];

// 10 blocks, of which 5 stay.
__attribute__((noinline)) static void work(size_t size) {
    for (int i = 0; i < 10 && !is_idle; i++) {
        void* block = malloc(size);
        account_born(&sum, by_malloc, size);
        if (i % 2 == 0) {
            free(block);
            account_gone(&sum, size);
        }
    }
}

static void on_signal(int number) {
    char here;
    (void)number;
    sum.wrong += &here < stack || &here >= stack + stack_bytes;
    work(30);
}

static void at_exit(void) {
    work(40);
}

static __attribute__((destructor)) void after_exit_handlers(void) {
    work(50);
    account_print(&sum);
}

int main(int argc, char** argv) {
    is_idle = asked_for_nothing(argc, argv);
    stack_t own = {.ss_sp = stack, .ss_size = stack_bytes};
    struct sigaction action = {0};
    action.sa_handler = on_signal;
    action.sa_flags = SA_ONSTACK;
    sum.wrong += sigaltstack(&own, NULL) != 0 || sigaction(SIGUSR1, &action, NULL) != 0;
    for (int i = 0; i < rounds; i++) {
        raise(SIGUSR1);
    }
    for (int i = 0; i < 3; i++) {
        sum.wrong += atexit(at_exit) != 0;
    }
    return 0;
}
