// Hazard: a launcher that changes what a program gets from its parent. Prints limits, signal mask and dispositions,
// open descriptors, arguments, environment, umask, niceness, process group and session (whether its own), one fact a
// line.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char** environ;

static void print_limits(void) {
    for (int i = 0; i < RLIM_NLIMITS; i++) {
        struct rlimit limit;
        getrlimit(i, &limit);
        printf("limit %d %lx %lx\n", i, (unsigned long)limit.rlim_cur, (unsigned long)limit.rlim_max);
    }
}

static void print_signals(void) {
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    for (int i = 1; i < 65; i++) {
        struct sigaction action = {0};
        if (sigaction(i, NULL, &action) == 0) {
            printf("signal %d %s%s\n", i,
                   action.sa_handler == SIG_DFL   ? "default"
                   : action.sa_handler == SIG_IGN ? "ignored"
                                                  : "handled",
                   sigismember(&mask, i) == 1 ? " blocked" : "");
        }
    }
}

static void print_descriptors(void) {
    for (int i = 0; i < 1024; i++) {
        int flags = fcntl(i, F_GETFL);
        struct stat about;
        if (flags >= 0 && fstat(i, &about) == 0) {
            printf("descriptor %d mode %o flags %x\n", i, about.st_mode & S_IFMT, flags);
        }
    }
}

int main(int argc, char** argv) {
    print_limits();
    print_signals();
    print_descriptors();
    for (int i = 0; i < argc; i++) {
        printf("argument %d %s\n", i, argv[i]);
    }
    for (char** e = environ; *e != NULL; e++) {
        printf("environment %s\n", *e);
    }
    mode_t mask = umask(0);
    printf("umask %o nice %d scheduler %d\n", mask, getpriority(PRIO_PROCESS, 0), sched_getscheduler(0));
    printf("own group %d own session %d\n", getpgid(0) == getpid(), getsid(0) == getpid());
    printf("terminal foreground %d dumpable %d subreaper ", isatty(0) ? tcgetpgrp(0) == getpgrp() : -1,
           prctl(PR_GET_DUMPABLE));
    int subreaper = -1;
    prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
    char* directory = getcwd(NULL, 0);
    printf("%d\ndirectory %s\n", subreaper, directory);
    free(directory);
    return 0;
}
