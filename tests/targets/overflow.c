// Hazard: recursion without an end, each level with a block of its own. overflow [handled]: the fault is met by a
// handler on a stack of its own, which says so and ends with 7; else it ends the program.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char stack[65536];
static char* volatile lowest;

static void on_fault(int number, siginfo_t* info, void* context) {
    (void)number, (void)context;
    // What it could not reach lies at the end of its stack.
    const char* at = info->si_addr;
    const char* said = at < lowest && lowest - at < 65536 ? "overflow\n" : "elsewhere\n";
    _exit(write(1, said, strlen(said)) > 0 ? 7 : 8);
}

__attribute__((noinline)) static int deeper(int level) {
    char frame[512];
    lowest = frame;
    memset(frame, level, sizeof frame);
    free(malloc(70));
    void* volatile kept = malloc(80);
    return deeper(level + 1) + frame[level % 512] + (kept != NULL);
}

int main(int argc, char** argv) {
    if (argc > 1 && strcmp(argv[1], "handled") == 0) {
        stack_t own = {.ss_sp = stack, .ss_size = sizeof stack};
        struct sigaction action = {0};
        action.sa_sigaction = on_fault;
        action.sa_flags = SA_ONSTACK | SA_SIGINFO;
        sigaltstack(&own, NULL);
        sigaction(SIGSEGV, &action, NULL);
    }
    return deeper(0);
}
