// Parent and child lose what is theirs.
// leaks: definite 100/1, reachable 10/1
// leaks of child: definite 200/2, reachable 20/1
#include <sys/wait.h>
#include <unistd.h>

#include "leaks.h"

void** held;

int main(void) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        lose(150);
        lose(50);
        held = make(20);
        forget();
        return 0;
    }
    lose(100);
    held = make(10);
    forget();
    return waitpid(child, &status, 0) != child || status != 0;
}
