// clock FILE COMMAND...: runs the command and writes to FILE, as one line, CLOCK_MONOTONIC before its exec and after
// its exit in nanoseconds, its user and system time (with descendants that it waited for), its most resident memory in
// KiB, and its exit code. It allocates nothing. Built statically for tools that preload a library, so that only the
// command has it.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long long nanoseconds(struct timeval t) {
    return t.tv_sec * 1000000000LL + t.tv_usec * 1000LL;
}

int main(int argc, char** argv) {
    if (argc < 3) {
        return 2;
    }
    int file = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    long long start = now();
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    int status;
    struct rusage usage;
    if (child < 0 || wait4(child, &status, 0, &usage) != child) {
        return 1;
    }
    long long end = now();
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    dprintf(file, "%lld %lld %lld %lld %ld %d\n", start, end, nanoseconds(usage.ru_utime), nanoseconds(usage.ru_stime),
            usage.ru_maxrss, code);
    return code;
}
