// Hazard: a schedule. Phases with quiet gaps between them, two threads in one function, sizes of several powers of two.
// Prints the middle of each gap on CLOCK_MONOTONIC in nanoseconds and the two threads' ids; what each phase does is
// known to the test that reads it (FilterTests.cs).
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const long half_gap_ns = 100 * 1000 * 1000;  // many ticks of the collector's clock, also on a busy machine

static void* kept[64];
static void* by_second[64];
static int tids[2];
static sem_t start[2], done;

static void wait_half_a_gap(void) {
    struct timespec time = {0, half_gap_ns};
    while (nanosleep(&time, &time) != 0) {
    }
}

static long gap(void) {
    struct timespec now;
    wait_half_a_gap();
    clock_gettime(CLOCK_MONOTONIC, &now);
    wait_half_a_gap();
    return now.tv_sec * 1000000000L + now.tv_nsec;
}

static void* work(void* argument) {
    int second = *(int*)argument;
    tids[second] = gettid();
    sem_wait(&start[second]);
    for (int i = 0; i < (second ? 30 : 20); i++) {
        void* block = malloc(64);
        if (second)
            by_second[i] = block;
    }
    sem_post(&done);
    return NULL;
}

// The threads are there before the first phase: what it takes to start one is none of it.
static void make_threads(void) {
    static int numbers[2] = {0, 1};
    sem_init(&done, 0, 0);
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        sem_init(&start[i], 0, 0);
        pthread_create(&thread, NULL, work, &numbers[i]);
    }
}

static void run_thread(int second) {
    sem_post(&start[second]);
    sem_wait(&done);
}

int main(void) {
    long gaps[4];
    make_threads();
    gaps[0] = gap();
    for (int i = 0; i < 10; i++)
        kept[i] = malloc(1000);
    gaps[1] = gap();
    run_thread(0);
    run_thread(1);
    for (int i = 0; i < 10; i++)
        free(by_second[i]);  // ten of the second thread's, by another
    for (int i = 0; i < 4; i++)
        free(kept[i]);
    gaps[2] = gap();
    for (int i = 10; i < 15; i++)
        kept[i] = malloc(5000);
    gaps[3] = gap();
    for (int i = 10; i < 15; i++)
        free(kept[i]);
    char line[200];  // stdio would allocate
    int length =
        snprintf(line, sizeof line, "%ld %ld %ld %ld %d %d\n", gaps[0], gaps[1], gaps[2], gaps[3], tids[0], tids[1]);
    if (write(1, line, (size_t)length) != length)
        return 1;
    _exit(0);
}
