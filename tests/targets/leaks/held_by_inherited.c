// A block of the parent's holds the child's.
// leaks: reachable 100/1
// leaks of child: definite 30/1, reachable 20/1
#include <sys/wait.h>
#include <unistd.h>

#include "leaks.h"

void** held;

int main(void) {
    int status = 0;
    held = make(100);
    pid_t child = fork();
    if (child == 0) {
        held[3] = make(20);
        lose(30);
        forget();
        return 0;
    }
    forget();
    return waitpid(child, &status, 0) != child || status != 0;
}
