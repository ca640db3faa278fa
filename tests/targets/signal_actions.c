// Hazard: the program takes signals that the profiler uses.
//
//   signal_actions itself SIGNAL...  sets a handler for each
//   signal_actions child SIGNAL...   a forked child does so, and nothing else
//   signal_actions halfway SIGNAL    ends when libc is about to set it
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern int ending_signal;

static void ignore(int signal) {
    (void)signal;
}

static int take(char** signals) {
    for (; *signals != NULL; signals++) {
        struct sigaction own = {.sa_handler = ignore};
        if (sigaction(atoi(*signals), &own, NULL) != 0) {
            return 1;
        }
    }
    return 0;
}

int main(int argc, char** argv) {
    if (argc < 3) {
        return 2;
    }
    free(malloc(100));
    if (strcmp(argv[1], "itself") == 0) {
        return take(argv + 2);
    }
    if (strcmp(argv[1], "halfway") == 0) {
        ending_signal = atoi(argv[2]);
        take(argv + 2);
        return 8;
    }
    // Past libc, which allocates or frees on its own account around a fork.
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        _exit(take(argv + 2));
    }
    int status = 1;
    return pid < 0 || waitpid(pid, &status, 0) != pid || status != 0;
}
