// Hazard: every way to a new process. children vfork|clone|spawn|exec|leaf|nested
// The parent makes 10 blocks of 100 bytes before and 10 after; a child (leaf) makes 7 of 50 and frees 3 of them.
#define _GNU_SOURCE
#include <sched.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

static void make(int blocks, size_t size, int freed) {
    for (int i = 0; i < blocks; i++) {
        void* at = malloc(size);
        if (i < freed) {
            free(at);
        } else if (at == NULL) {
            _exit(9);
        }
    }
}

static void leaf(void) {
    make(7, 50, 3);
    _exit(0);
}

static pid_t raw_clone(void) {
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static pid_t child_by(const char* way, char* self) {
    char* command[] = {self, "leaf", NULL};
    pid_t pid = -1;
    if (strcmp(way, "vfork") == 0) {
        pid = vfork();
        if (pid == 0) {
            make(1, 30, 0);  // in the parent's memory: the parent's block
            execv(self, command);
            _exit(8);
        }
    } else if (strcmp(way, "clone") == 0) {
        pid = raw_clone();
        if (pid == 0) {
            leaf();
        }
    } else if (strcmp(way, "spawn") == 0) {
        if (posix_spawn(&pid, self, NULL, NULL, command, environ) != 0) {
            return -1;
        }
    } else if (strcmp(way, "nested") == 0) {
        pid = fork();
        if (pid == 0) {
            make(7, 50, 3);
            pid_t grandchild = fork();
            if (grandchild == 0) {
                leaf();
            }
            int status = 1;
            _exit(waitpid(grandchild, &status, 0) != grandchild || status != 0);
        }
    }
    return pid;
}

int main(int argc, char** argv) {
    if (argc != 2) {
        return 2;
    }
    if (strcmp(argv[1], "leaf") == 0) {
        leaf();
    }
    make(10, 100, 0);
    if (strcmp(argv[1], "exec") == 0) {
        char* command[] = {argv[0], "leaf", NULL};
        execv(argv[0], command);
        return 8;
    }
    pid_t pid = child_by(argv[1], argv[0]);
    int status = 1;
    if (pid <= 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        return 7;
    }
    make(10, 100, 0);
    return 0;
}
