// Hazard: a process of one thread gets a second one. Goes through a free instruction by instruction and counts those
// that take a number (xadd), with a lock and without; the allocator (bump_allocator.c) has none of its own. Prints the
// counts of one thread, where there was one, and those since there are two.
//
//   numbers thread                         the second thread comes right away
//   numbers stranger                       it is made past libc, which goes on saying that there is one
//   numbers child                          it comes in a child that was forked from a process of two
//   numbers attached SHIM SETTINGS         it comes after the profiler has
//   numbers late SHIM SETTINGS             the profiler comes to a process of two threads
//   numbers late_stranger SHIM SETTINGS    and libc knows of one of them
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include <x86intrin.h>

enum { half = 64 << 10, trap_flag = 0x100 };

static void* volatile block;
static atomic_int locked, unlocked, ready, go, done;

static void look(int signal, siginfo_t* info, void* context) {
    (void)signal;
    (void)info;
    const unsigned char* code = (const unsigned char*)((ucontext_t*)context)->uc_mcontext.gregs[REG_RIP];
    int lock = *code == 0xF0;
    code += lock;
    code += (*code & 0xF0) == 0x40;  // REX
    if (code[0] == 0x0F && code[1] == 0xC1) {
        atomic_fetch_add(lock ? &locked : &unlocked, 1);
    }
}

static void step_through_free(void) {
    __writeeflags(__readeflags() | trap_flag);
    free(block);
    __writeeflags(__readeflags() & ~(unsigned long long)trap_flag);
}

static void print(const char* when) {
    char line[100];
    int length = snprintf(line, sizeof line, "{\"%s_unlocked\":%d,\"%s_locked\":%d}\n", when,
                          atomic_exchange(&unlocked, 0), when, atomic_exchange(&locked, 0));
    if (write(1, line, (size_t)length) != length) {
        _exit(6);
    }
}

static void await(atomic_int* word) {
    while (!atomic_load(word)) {
        sched_yield();
    }
}

// ---- second threads: they stay to the end ----

static void* work(void* argument) {
    step_through_free();
    atomic_store(&ready, 1);
    await(&done);
    return argument;
}

static void begin_thread(void) {
    pthread_t id;
    if (pthread_create(&id, NULL, work, NULL) != 0) {
        _exit(7);
    }
}

static int work_as_stranger(void* argument) {
    (void)argument;
    await(&go);
    free(block);  // by which the profiler learns of it
    atomic_store(&ready, 1);
    await(&done);
    return 0;
}

// Its thread pointer stands amid zeros, where libc and the profiler find nothing of theirs.
static void begin_stranger(void) {
    static unsigned char own[2 * half] __attribute__((aligned(64))), stack[half] __attribute__((aligned(64)));
    uintptr_t self = (uintptr_t)own + half;
    memcpy(own + half, &self, sizeof self);
    memcpy(own + half + 16, &self, sizeof self);
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS;
    if (clone(work_as_stranger, stack + sizeof stack, flags, NULL, NULL, own + half, NULL) < 0) {
        _exit(7);
    }
}

// ---- what is told apart ----

static void alone(void) {
    step_through_free();
    print("alone");
}

static void with_thread(void) {
    begin_thread();
    step_through_free();
    await(&ready);
    print("together");
}

static void with_stranger(void) {
    atomic_store(&go, 1);
    await(&ready);
    step_through_free();
    print("together");
}

static int in_child(void) {
    begin_thread();
    await(&ready);
    pid_t pid = fork();
    if (pid == 0) {
        free(block);
        atomic_store(&ready, 0);
        atomic_store(&locked, 0);
        atomic_store(&unlocked, 0);
        with_thread();
        _exit(0);
    }
    int status = 1;
    return pid < 0 || waitpid(pid, &status, 0) != pid || status != 0;
}

static void attach(char** argv) {
    void* shim = dlopen(argv[2], RTLD_NOW);
    int (*attach)(const char*) = shim != NULL ? (int (*)(const char*))dlsym(shim, "nativeheap_attach") : NULL;
    if (attach == NULL || attach(argv[3]) != 0) {
        _exit(9);
    }
    free(block);
}

int main(int argc, char** argv) {
    const char* mode = argc > 1 ? argv[1] : "";
    struct sigaction action = {.sa_sigaction = look, .sa_flags = SA_SIGINFO};
    sigaction(SIGTRAP, &action, NULL);
    block = malloc(100);
    free(block);
    if (strcmp(mode, "thread") == 0) {
        alone();
        with_thread();
    } else if (strcmp(mode, "stranger") == 0) {
        alone();
        begin_stranger();
        with_stranger();
    } else if (strcmp(mode, "child") == 0) {
        return in_child();
    } else if (strcmp(mode, "attached") == 0 && argc == 4) {
        attach(argv);
        alone();
        with_thread();
    } else if (strcmp(mode, "late") == 0 && argc == 4) {
        begin_thread();
        await(&ready);
        attach(argv);
        step_through_free();
        print("together");
    } else if (strcmp(mode, "late_stranger") == 0 && argc == 4) {
        begin_stranger();
        attach(argv);
        with_stranger();
    } else {
        return 2;
    }
    return 0;
}
