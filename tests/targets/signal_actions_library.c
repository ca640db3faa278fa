// Stands before libc's sigaction, as a library that watches signals does, and can end the program in it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

int ending_signal;  // a program that sets a handler for it ends before that is there; 0: none

int sigaction(int number, const struct sigaction* action, struct sigaction* before) {
    static int (*next)(int, const struct sigaction*, struct sigaction*);
    if (ending_signal != 0 && number == ending_signal && action != NULL) {
        _exit(0);
    }
    if (next == NULL) {
        next = (int (*)(int, const struct sigaction*, struct sigaction*))dlsym(RTLD_NEXT, "sigaction");
    }
    return next(number, action, before);
}
