// Hazard: processes that a fork made, of which some have recorded and some have not when their collector is gone. Each
// byte of standard input is a step; the file that is named gets one byte for each that is done by everybody. The steps:
//   f  the first process forks one that allocates nothing
//   a  every process allocates 100 blocks of 1,000 bytes and keeps them
//   g  every process has the shim go to the collector that listens where the one before did, as that would have it
//   v  the first process forks by vfork one that waits for the next byte of standard input, and ends; then both go on
// At the end of input all end; the exit code is 5. Input and output without stdio, which would allocate.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { most = 8 };

__attribute__((weak)) int nativeheap_attach(const char* text);  // of the shim

static int to_child[most];
static int children;
static int done_by_child[2];
static void* kept[100];

__attribute__((noinline)) static void step_a(void) {
    for (int i = 0; i < 100; i++) {
        kept[i] = malloc(1000);
    }
}

static int step_of_all(char step) {
    if (step == 'a') {
        step_a();
        return 1;
    }
    return nativeheap_attach != NULL && nativeheap_attach("again") == 0;
}

static void be_child(int steps) {
    char step;
    while (read(steps, &step, 1) == 1) {
        if (!step_of_all(step) || write(done_by_child[1], &step, 1) != 1) {
            _exit(4);
        }
    }
    _exit(0);
}

static int step_f(void) {
    int way[2];
    if (children == most || pipe2(way, O_CLOEXEC) != 0) {
        return 0;
    }
    if (fork() == 0) {
        close(way[1]);
        for (int i = 0; i < children; i++) {
            close(to_child[i]);
        }
        be_child(way[0]);
    }
    close(way[0]);
    to_child[children++] = way[1];
    return 1;
}

static int tell_children(char step) {
    for (int i = 0; i < children; i++) {
        if (write(to_child[i], &step, 1) != 1) {
            return 0;
        }
    }
    for (int i = 0; i < children; i++) {
        if (read(done_by_child[0], &step, 1) != 1) {
            return 0;
        }
    }
    return 1;
}

static int step_v(int done) {
    pid_t child = vfork();
    if (child == 0) {
        char byte = 'v';
        _exit(write(done, &byte, 1) == 1 && read(0, &byte, 1) == 1 ? 0 : 1);
    }
    int status;
    return waitpid(child, &status, 0) == child && status == 0;
}

int main(int argc, char** argv) {
    int done = argc > 1 ? open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (done < 0 || pipe2(done_by_child, O_CLOEXEC) != 0) {
        return 2;
    }
    char step;
    while (read(0, &step, 1) == 1) {
        int good = 1;
        switch (step) {
            case 'f':
                good = step_f();
                break;
            case 'a':
            case 'g':
                good = step_of_all(step) && tell_children(step);
                break;
            case 'v':
                good = step_v(done);
                break;
            default:
                return 3;
        }
        if (!good || write(done, &step, 1) != 1) {
            return 4;
        }
    }
    for (int i = 0; i < children; i++) {
        close(to_child[i]);
    }
    while (wait(NULL) > 0) {
    }
    return 5;
}
