// Hazard: signal handlers that allocate, at any instruction, also inside the profiler's own functions.
// signal_storm return CALLS: the handler returns. signal_storm jump CALLS: every fourth leaves by siglongjmp.
// Prints how many allocations and frees were begun; then makes 10,000 blocks of 7777 bytes in peace.
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

int bump_allocator_has(const void* at);

static _Atomic(uint64_t) calls, signals;
static bool jumps;
static sigjmp_buf back;

static void on_signal(int number) {
    (void)number;
    signals++;
    calls += 2;
    free(malloc(24));
    if (jumps && signals % 4 == 0) {
        siglongjmp(back, 1);
    }
}

static void set_timer(long microseconds) {
    struct itimerval timer = {{0, microseconds}, {0, microseconds}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

static __attribute__((noinline)) void deeper(int depth) {
    if (depth > 0) {
        deeper(depth - 1);
        __asm__ volatile("");
        return;
    }
    calls += 2;
    free(malloc(100));
}

int main(int argc, char** argv) {
    if (argc != 3) {
        return 2;
    }
    jumps = strcmp(argv[1], "jump") == 0;
    volatile uint64_t left = strtoull(argv[2], NULL, 10);
    struct sigaction action = {0};
    action.sa_handler = on_signal;
    sigaction(SIGALRM, &action, NULL);
    void* first = malloc(1);
    calls++;
    set_timer(137);
    sigsetjmp(back, 1);
    while (left > 0) {
        left = left - 1;
        deeper((int)(left % 8));
    }
    set_timer(0);
    for (int i = 0; i < 10000; i++) {
        if (malloc(7777) == NULL) {
            return 3;
        }
    }
    char line[200];
    int n = snprintf(line, sizeof line, "{\"calls\":%lu,\"signals\":%lu,\"bump\":%d}\n", (unsigned long)calls,
                     (unsigned long)signals, bump_allocator_has(first));
    return write(1, line, (size_t)n) == n ? 0 : 4;
}
