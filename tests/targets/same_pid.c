// Hazard: a pid that comes again and again. same_pid PID [execute]: twenty children after each other get it; the n-th
// makes n blocks of 100 bytes, itself or in a program that it executes. Needs a pid namespace of its own, and root.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { children = 20, tries = 1000 };

__attribute__((noinline)) static int make(int blocks) {
    int made = 0;
    for (int i = 0; i < blocks; i++) {
        made += malloc(100) != NULL;
    }
    return made == blocks ? 0 : 1;
}

static int set_next(int pid) {
    char text[32];
    int length = snprintf(text, sizeof text, "%d", pid - 1);
    int file = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
    int good = file >= 0 && write(file, text, (size_t)length) == length;
    close(file);
    return good;
}

static void be_child(int number, char** argv, int executes) {
    char text[32];
    snprintf(text, sizeof text, "%d", number);
    if (executes) {
        execl("/proc/self/exe", argv[0], "blocks", text, (char*)NULL);
        _exit(9);
    }
    _exit(make(number));
}

// Whose pid is not the one that is wanted ends, and it is tried again: others may have been faster.
static int run_child(int number, int wanted, char** argv, int executes) {
    for (int i = 0; i < tries; i++) {
        if (!set_next(wanted)) {
            return 0;
        }
        pid_t child = fork();
        if (child == 0) {
            if (getpid() != wanted) {
                _exit(0);
            }
            be_child(number, argv, executes);
        }
        int status = 1;
        if (waitpid(child, &status, 0) != child || status != 0) {
            return 0;
        }
        if (child == wanted) {
            return 1;
        }
    }
    return 0;
}

int main(int argc, char** argv) {
    if (argc == 3 && strcmp(argv[1], "blocks") == 0) {
        return make(atoi(argv[2]));
    }
    int wanted = argc > 1 ? atoi(argv[1]) : 0;
    for (int i = 1; i <= children; i++) {
        if (!run_child(i, wanted, argv, argc > 2)) {
            return 3;
        }
    }
    return 0;
}
