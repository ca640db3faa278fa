// A child has one thread; the stacks of the others are dead memory in it.
// leaks: definite 0/0, reachable 100/1
// leaks of child: definite 50/1
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "leaks.h"

static pthread_barrier_t ready;
void** volatile* place;

static void* hold(void* nothing) {
    void** volatile held = make(100);
    forget();
    place = &held;
    pthread_barrier_wait(&ready);
    for (;;)
        pause();
    return held == NULL ? nothing : NULL;
}

int main(void) {
    pthread_t thread;
    int status = 0;
    pthread_barrier_init(&ready, NULL, 2);
    pthread_create(&thread, NULL, hold, NULL);
    pthread_barrier_wait(&ready);
    pid_t child = fork();
    if (child == 0) {
        *place = make(50);
        forget();
        return 0;
    }
    forget();
    return waitpid(child, &status, 0) != child || status != 0;
}
