// Hazard: a process that is heard of only after the end of the one it was forked from. orphan FILE
// Forks a child that makes 5 blocks, forks a grandchild and ends. The grandchild waits until FILE is there, and only
// then makes its 3 blocks.
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void make(int blocks) {
    for (int i = 0; i < blocks; i++) {
        if (malloc(100) == NULL) {
            _exit(9);
        }
    }
}

static void grandchild(const char* file) {
    while (access(file, F_OK) != 0) {
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    make(3);
    _exit(0);
}

static void child(const char* file) {
    make(5);
    if (fork() == 0) {
        grandchild(file);
    }
    _exit(0);
}

int main(int argc, char** argv) {
    int ends[2];
    if (argc < 2 || pipe(ends) != 0) {
        return 2;
    }
    make(1);
    pid_t pid = fork();
    if (pid == 0) {
        child(argv[1]);
    }
    // Nobody but the two of them keeps the pipe open, so its end is the grandchild's.
    close(ends[1]);
    char byte;
    return waitpid(pid, NULL, 0) == pid && read(ends[0], &byte, 1) == 0 ? 0 : 1;
}
