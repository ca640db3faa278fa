// Hazard: a sandbox. Before its first allocation the program installs a filter that kills the process on anything a
// profiler might do late: sockets, messages, memfd_create, opening files, shared or file mappings, prctl, ptrace.
// Then it allocates, in a thread and in a forked child too.
// seccomp_kill [nothing | wait | mild]: wait does no more than that, until its input ends; mild has a filter that kills
// for nothing that attaching needs.
#define _GNU_SOURCE
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "account.h"

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define KILL BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define KILL_ON(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), KILL

static int shut(void) {
    struct sock_filter rules[] = {
        LOAD(nr),
        KILL_ON(SYS_socket),
        KILL_ON(SYS_connect),
        KILL_ON(SYS_sendmsg),
        KILL_ON(SYS_sendto),
        KILL_ON(SYS_recvmsg),
        KILL_ON(SYS_recvfrom),
        KILL_ON(SYS_memfd_create),
        KILL_ON(SYS_open),
        KILL_ON(SYS_openat),
        KILL_ON(SYS_prctl),
        KILL_ON(SYS_ptrace),
        KILL_ON(SYS_process_vm_readv),
        KILL_ON(SYS_dup),
        KILL_ON(SYS_dup2),
        KILL_ON(SYS_pipe2),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 3),
        LOAD(args[3]),  // flags
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_SHARED, 0, 1),
        KILL,
        ALLOW,
    };
    struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// Looks at arguments, and lets some calls fail.
static int shut_mildly(void) {
    struct sock_filter rules[] = {
        LOAD(nr),
        KILL_ON(SYS_reboot),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
        LOAD(args[0]),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_PACKET, 0, 1),
        KILL,
        LOAD(nr),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
        ALLOW,
    };
    struct sock_fprog program = {sizeof rules / sizeof *rules, rules};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void* allocate(void* argument) {
    struct account* account = argument;
    for (int i = 0; i < 100000; i++) {
        void* at = malloc(i % 1000);
        account_born(account, by_malloc, i % 1000);
        if (i % 10 != 0) {
            free(at);
            account_gone(account, i % 1000);
        }
    }
    return NULL;
}

static void* nothing(void* argument) {
    return argument;
}

// Says what it has by a byte.
static int wait_behind(int (*filter)(void)) {
    char byte = filter() ? 'f' : 'n';
    return write(1, &byte, 1) == 1 && read(0, &byte, 1) == 0 ? 0 : 1;
}

int main(int argc, char** argv) {
    static struct account own, other;
    if (argc > 1 && strcmp(argv[1], "nothing") != 0) {
        return wait_behind(strcmp(argv[1], "mild") == 0 ? shut_mildly : shut);
    }
    bool idle = asked_for_nothing(argc, argv);
    own.wrong += !idle && !shut();
    pthread_t thread;
    own.wrong += pthread_create(&thread, NULL, idle ? nothing : allocate, &other) != 0;
    pthread_join(thread, NULL);
    if (!idle) {
        allocate(&own);
        account_add(&own, &other);
        pid_t child = fork();
        if (child == 0) {
            allocate(&other);
            _exit(0);
        }
        int status = 1;
        own.wrong += waitpid(child, &status, 0) != child || status != 0;
    }
    account_print(&own);
    return own.wrong == 0 ? 0 : 1;
}
