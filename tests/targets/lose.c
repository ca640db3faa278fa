// lose HOW [threads]: loses 100 bytes that hold 50 more, keeps 10 until its exit handler frees them, and ends in the
// way that HOW says. With threads another one sleeps meanwhile, 77 bytes on its stack. "wait" loses anew with each line
// of its input; "crowd" does so with a million small blocks that it keeps. "undumpable" takes the right to read its
// memory from other processes.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void* volatile kept;

static void release(void) {
    free(kept);
    kept = NULL;
}

__attribute__((noinline)) static void lose(void) {
    void* volatile* block = calloc(1, 100);
    block[3] = calloc(1, 50);
}

// What calls have left on the stack.
__attribute__((noinline)) static void overwrite(void) {
    volatile char dead[16384];
    for (size_t i = 0; i < sizeof dead; i++)
        dead[i] = 0;
}

static void* sleep_on(void* ready) {
    void* volatile block = calloc(1, 77);
    pthread_barrier_wait(ready);
    for (;;)
        pause();
    return block;
}

static void start_sleeper(void) {
    static pthread_barrier_t ready;
    pthread_t thread;
    pthread_barrier_init(&ready, NULL, 2);
    pthread_create(&thread, NULL, sleep_on, &ready);
    pthread_barrier_wait(&ready);
}

static void keep_crowd(void) {
    static void* volatile last;
    for (int i = 0; i < 1000000; i++) {
        void* volatile* block = malloc(24);
        block[0] = last;
        last = (void*)block;
    }
}

static void wait_for_input(void) {
    char line[16];
    printf("%d\n", getpid());
    fflush(stdout);
    while (read(0, line, sizeof line) > 0) {
        lose();
        overwrite();
        printf("lost\n");
        fflush(stdout);
    }
}

static int is(const char* one, const char* other) {
    return strcmp(one, other) == 0;
}

int main(int argc, char** argv) {
    const char* how = argc > 1 ? argv[1] : "return";
    lose();
    kept = calloc(1, 10);
    atexit(release);
    at_quick_exit(release);
    overwrite();
    if (argc > 2)
        start_sleeper();
    if (is(how, "undumpable"))
        prctl(PR_SET_DUMPABLE, 0);
    if (is(how, "exit"))
        exit(3);
    if (is(how, "_exit"))
        _exit(3);
    if (is(how, "_Exit"))
        _Exit(3);
    if (is(how, "quick_exit"))
        quick_exit(3);
    if (is(how, "abort"))
        abort();
    if (is(how, "signal"))
        raise(SIGTERM);
    if (is(how, "kill"))
        kill(getpid(), SIGKILL);
    if (is(how, "fault"))
        *(volatile int*)8 = 0;
    if (is(how, "exit_group"))
        syscall(SYS_exit_group, 3);
    if (is(how, "pthread_exit"))
        pthread_exit(NULL);
    if (is(how, "execl"))
        execl("/bin/true", "true", (char*)NULL);
    if (is(how, "exec_fails"))
        execl("/nowhere/true", "true", (char*)NULL);
    if (is(how, "fork")) {
        if (fork() == 0) {
            lose();
            overwrite();
            return 0;
        }
        wait(NULL);
    }
    if (is(how, "crowd"))
        keep_crowd();
    if (is(how, "wait") || is(how, "crowd"))
        wait_for_input();
    return 3;
}
