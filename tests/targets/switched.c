// Hazard: births that are recorded all, then as samples, then all again, while blocks of each time live on into the
// next. Each byte of standard input is a step; the file that is named gets one byte for each that is done. Two threads
// take half of each step. The steps:
//   a  1,000 blocks of 1,000 bytes, kept
//   b  300 of these are freed
//   c  300 more of these are freed, and 100 grow to 2,000 bytes
//   d  20,000 blocks of 100 bytes and 400 of 5,000 bytes, kept
//   e  half of each of these are freed
//   f  the other half are freed
//   g  100,000 blocks of 1,000 bytes, freed a thousand at a time: they lie where others have lain
//   h  500 blocks of 3,000 bytes, kept
//   w  computes for 2 s of CPU time, without a block
//   p  the same, with blocks of 100 bytes that it frees at once
//   i  a child frees what is left of a, and 500 blocks of its own; another 500 it keeps
// Input and output without stdio, which would allocate.
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    threads = 2,
    of_a = 500,
    small_of_d = 10000,
    large_of_d = 200,
    of_g = 1000,
    times_g = 50,
    of_h = 250,
    of_i = 500
};

static void* a[threads][of_a];
static void* small[threads][small_of_d];
static void* large[threads][large_of_d];
static void* g[threads][of_g];
static void* h[threads][of_h];
static void* own[threads][of_i];
static char step;
static sem_t begin, end;

__attribute__((noinline)) static void make(void** to, int count, size_t bytes) {
    for (int i = 0; i < count; i++) {
        to[i] = malloc(bytes);
    }
}

__attribute__((noinline)) static void release(void** blocks, int from, int to) {
    for (int i = from; i < to; i++) {
        free(blocks[i]);
        blocks[i] = NULL;
    }
}

__attribute__((noinline)) static void step_a(int self) {
    make(a[self], of_a, 1000);
    asm volatile("");  // no tail call
}

__attribute__((noinline)) static void step_c(int self) {
    release(a[self], 150, 300);
    for (int i = 300; i < 350; i++) {
        a[self][i] = realloc(a[self][i], 2000);
    }
}

__attribute__((noinline)) static void step_d(int self) {
    make(small[self], small_of_d, 100);
    make(large[self], large_of_d, 5000);
    asm volatile("");
}

__attribute__((noinline)) static void step_g(int self) {
    for (int i = 0; i < times_g; i++) {
        make(g[self], of_g, 1000);
        release(g[self], 0, of_g);
    }
}

__attribute__((noinline)) static void step_h(int self) {
    make(h[self], of_h, 3000);
    asm volatile("");
}

static double cpu_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

__attribute__((noinline)) static void step_w(int allocates) {
    for (double end = cpu_seconds() + 1; cpu_seconds() < end;) {
        for (volatile int i = 0; i < 1000; i++) {
            if (allocates) {
                free(malloc(100));
            }
        }
    }
}

static void take_step(int self) {
    switch (step) {
        case 'a':
            step_a(self);
            break;
        case 'b':
            release(a[self], 0, 150);
            break;
        case 'c':
            step_c(self);
            break;
        case 'd':
            step_d(self);
            break;
        case 'e':
        case 'f': {
            int half = step == 'f';
            release(small[self], small_of_d / 2 * half, small_of_d / 2 * (half + 1));
            release(large[self], large_of_d / 2 * half, large_of_d / 2 * (half + 1));
            break;
        }
        case 'g':
            step_g(self);
            break;
        case 'h':
            step_h(self);
            break;
        case 'w':
        case 'p':
            step_w(step == 'p');
            break;
    }
}

__attribute__((noinline)) static void step_i(void) {
    pid_t child = fork();
    if (child == 0) {
        for (int self = 0; self < threads; self++) {
            release(a[self], 300, of_a);
            make(own[self], of_i, 1000);
        }
        release(own[0], 0, of_i);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

static void* work(void* unused) {
    while (sem_wait(&begin) == 0) {
        take_step(1);
        sem_post(&end);
    }
    return unused;
}

int main(int argc, char** argv) {
    int done = argc > 1 ? open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
    pthread_t other;
    sem_init(&begin, 0, 0);
    sem_init(&end, 0, 0);
    if (done < 0 || pthread_create(&other, NULL, work, NULL) != 0) {
        return 2;
    }
    while (read(0, &step, 1) == 1) {
        if (step == 'i') {
            step_i();
        } else {
            sem_post(&begin);
            take_step(0);
            sem_wait(&end);
        }
        if (write(done, &step, 1) != 1) {
            return 4;
        }
    }
    return 0;
}
