// A detached thread has ended; nobody has joined it.
// leaks: definite 100/1
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "leaks.h"

static atomic_int number;

static void* hold(void* nothing) {
    void** volatile held = make(100);
    forget();
    number = gettid();
    return held == NULL ? (void*)&number : nothing;
}

int main(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, hold, NULL);
    pthread_detach(thread);
    while (number == 0 || syscall(SYS_tgkill, getpid(), number, 0) == 0)
        sched_yield();
    forget();
}
