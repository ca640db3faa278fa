// Hazard: SIGPROF 5,000 times a second, in a program that does little but allocate. Its handler allocates, and now and
// then it forks, so also in the midst of the profiler's own functions: parent and child both go on from there.
// fork_storm CALLS CHILDREN. Each child makes 10 blocks of 100 bytes in peace, frees 5 and ends. Printed: how many
// allocations and frees the first process has begun, signals, and whether a child went wrong.
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Atomic(uint64_t) calls, signals;
static volatile long children_left;
static volatile pid_t child;  // -1: nobody forked
static volatile int is_child;
static timer_t timer;

static void on_signal(int number) {
    (void)number;
    if (is_child) {
        return;
    }
    signals++;
    calls += 2;
    free(malloc(24));
    if (child < 0 && children_left > 0) {
        children_left--;
        pid_t forked = fork();
        if (forked == 0) {
            is_child = 1;
            if (children_left % 2 == 0) {
                free(malloc(24));  // before the interrupted function goes on
            }
        } else {
            child = forked;
        }
    }
}

static void every(long nanoseconds) {
    struct itimerspec interval = {{0, nanoseconds}, {0, nanoseconds}};
    timer_settime(timer, 0, &interval, NULL);
}

__attribute__((noinline)) static void be_child(void) {
    void* blocks[10];
    for (int i = 0; i < 10; i++) {
        blocks[i] = malloc(100);
    }
    for (int i = 0; i < 5; i++) {
        free(blocks[i]);
    }
    _exit(blocks[9] == NULL);
}

__attribute__((noinline)) static void deeper(int depth) {
    if (depth > 0) {
        deeper(depth - 1);
        __asm__ volatile("");
        return;
    }
    calls += 2;
    free(malloc(100));
}

int main(int argc, char** argv) {
    uint64_t wrong = argc != 3;
    struct sigaction action = {0};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigaction(SIGPROF, &action, NULL);
    struct sigevent event = {0};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGPROF;
    wrong += timer_create(CLOCK_MONOTONIC, &event, &timer) != 0;
    child = -1;
    children_left = wrong == 0 ? atol(argv[2]) : 0;
    uint64_t most = wrong == 0 ? strtoull(argv[1], NULL, 10) : 0;
    every(200000);
    for (uint64_t i = 0; i < most || (most > 0 && children_left > 0); i++) {
        deeper((int)(i % 8));
        if (is_child) {
            be_child();
        }
        int status = 0;
        if (child >= 0) {
            wrong += waitpid(child, &status, 0) != child || status != 0;
            child = -1;
        }
    }
    every(0);
    char line[200];
    int n = snprintf(line, sizeof line, "{\"calls\":%lu,\"signals\":%lu,\"wrong\":%lu}\n", (unsigned long)calls,
                     (unsigned long)signals, (unsigned long)wrong);
    return write(1, line, (size_t)n) == n ? 0 : 4;
}
