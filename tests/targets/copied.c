// copied: loses 100 bytes that hold 50 more, may not be read by other processes of its user, and says its pid. With
// each line of its input it closes a pipe, and says whether nobody else has its end any more and which children wait to
// be waited for, of any kind: those of others are left in peace.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noinline)) static void lose(void) {
    void* volatile* block = calloc(1, 100);
    block[3] = calloc(1, 50);
}

__attribute__((noinline)) static void overwrite(void) {
    volatile char dead[16384];
    for (size_t i = 0; i < sizeof dead; i++)
        dead[i] = 0;
}

static int is_closed(int end) {
    struct pollfd wait = {end, POLLIN, 0};
    char byte;
    return poll(&wait, 1, 0) == 1 && read(end, &byte, 1) == 0;
}

int main(void) {
    int ends[2];
    char line[16];
    if (pipe(ends) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0)
        return 1;
    lose();
    overwrite();
    printf("%d\n", getpid());
    fflush(stdout);
    while (read(0, line, sizeof line) > 0) {
        close(ends[1]);
        int children = waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD ? 0 : 1;
        printf("%s, %s\n", is_closed(ends[0]) ? "closed" : "open", children == 0 ? "no children" : "a child");
        fflush(stdout);
    }
    return 3;
}
