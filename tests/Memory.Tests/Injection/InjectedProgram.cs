using NativeHeap.Memory.Injection;
using NativeHeap.Testing;

namespace NativeHeap.Memory.Tests.Injection;

/// <summary>A C program that does one thing until its end is asked for, says then what it saw, and has calls made by us.</summary>
internal sealed class InjectedProgram : IDisposable
{
    private readonly RunningProgram _program;

    private InjectedProgram(RunningProgram program, string library)
    {
        _program = program;
        Library = library;
    }

    public string Library { get; }

    // .NET waits for its own children, and would take the news that are the tracer's: the program is a shell's child.
    public int Pid => int.Parse(_program.FirstLine, System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Builds program and library, and starts the one in a mode.</summary>
    public static InjectedProgram Start(TempFolder folder, string mode)
    {
        var program = Tool.CompileC(folder, "program", ProgramText, "-O1", "-rdynamic", "-pthread");
        var library = Tool.CompileC(folder, "library.so", LibraryText, "-shared", "-fPIC", "-O1");
        return new InjectedProgram(new RunningProgram("/bin/sh", "-c", $"{program} {mode}; exit $?"), library);
    }

    /// <summary>Has a function of the library called.</summary>
    public InjectionResult Call(string function, double seconds = 10, double choosing = 10) => Injector.Call(
        Pid, new InjectedCall(Library, function, "text"), TimeSpan.FromSeconds(choosing), TimeSpan.FromSeconds(seconds));

    /// <summary>Lets it end, and returns what it said.</summary>
    public string End() => _program.EndAndRead();

    public void Dispose() => _program.Dispose();

    private const string LibraryText =
        """
        #include <errno.h>
        #include <string.h>
        #include <unistd.h>
        extern volatile int calls, inside;
        int count(const char *text) {
            double d[16]; for (int i = 0; i < 16; i++) d[i] = i * 1.5 + calls;   // vector registers
            __builtin_ia32_ldmxcsr(0x5f80); errno = 77; calls += strcmp(text, "text") == 0 && d[3] > 0;
            return calls;
        }
        int crash(const char *text) { *(volatile int *)8 = *text; return 0; }
        int rest(const char *text) { (void)text; inside = 1; usleep(300000); inside = 0; return ++calls; }
        """;

    private const string ProgramText =
        """
        #define _GNU_SOURCE
        #include <errno.h>
        #include <fcntl.h>
        #include <poll.h>
        #include <pthread.h>
        #include <signal.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/epoll.h>
        #include <sys/time.h>
        #include <time.h>
        #include <unistd.h>
        volatile int calls, inside, over;
        static volatile int handled, handled_inside;
        static double seconds(void) {
            struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9;
        }
        // Fills every register and the red zone, waits for a call, and counts what is not as it was.
        long spoiled_registers(void);
        __asm__(
            ".text\n.globl spoiled_registers\nspoiled_registers:\n"
            "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
            "sub $8, %rsp; stmxcsr (%rsp); movl $0x3f80, 4(%rsp); ldmxcsr 4(%rsp)\n"
            "mov $0x1111111111111111, %rax; mov $0x2222222222222222, %rbx; mov $0x3333333333333333, %rdx\n"
            "mov $0x4444444444444444, %rsi; mov $0x5555555555555555, %rdi; mov $0x6666666666666666, %rbp\n"
            "mov $0x7777777777777777, %r8; mov $0x0888888888888888, %r9; mov $0x0999999999999999, %r10\n"
            "mov $0x0aaaaaaaaaaaaaaa, %r11; mov $0x0bbbbbbbbbbbbbbb, %r12; mov $0x0ccccccccccccccc, %r13\n"
            "mov $0x0ddddddddddddddd, %r14; mov $0x0eeeeeeeeeeeeeee, %r15\n"
            "movq %rbx, %xmm0; movq %rdx, %xmm7; movq %r15, %xmm15; fldpi\n"
            "mov %rbx, -8(%rsp); mov %rdx, -64(%rsp); mov %r15, -128(%rsp)\n"
            "stc\n"
            "1: mov calls(%rip), %ecx; jrcxz 2f; jmp 3f\n2: mov over(%rip), %ecx; jrcxz 1b\n3:\n"
            "mov $0, %ecx; adc $-1, %ecx\n" // 0: the carry flag is as it was
            ".macro same a, b\n cmp \\a, \\b\n je 4f\n inc %ecx\n4:\n.endm\n"
            "same -8(%rsp), %rbx; same -64(%rsp), %rdx; same -128(%rsp), %r15\n"
            "mov %rax, -16(%rsp); mov $0x1111111111111111, %rax; same -16(%rsp), %rax\n"
            "mov $0x2222222222222222, %rax; same %rax, %rbx; mov $0x3333333333333333, %rax; same %rax, %rdx\n"
            "mov $0x4444444444444444, %rax; same %rax, %rsi; mov $0x5555555555555555, %rax; same %rax, %rdi\n"
            "mov $0x6666666666666666, %rax; same %rax, %rbp; mov $0x7777777777777777, %rax; same %rax, %r8\n"
            "mov $0x0888888888888888, %rax; same %rax, %r9; mov $0x0999999999999999, %rax; same %rax, %r10\n"
            "mov $0x0aaaaaaaaaaaaaaa, %rax; same %rax, %r11; mov $0x0bbbbbbbbbbbbbbb, %rax; same %rax, %r12\n"
            "mov $0x0ccccccccccccccc, %rax; same %rax, %r13; mov $0x0ddddddddddddddd, %rax; same %rax, %r14\n"
            "mov $0x0eeeeeeeeeeeeeee, %rax; same %rax, %r15\n"
            "movq %xmm0, %rax; same %rax, %rbx; movq %xmm7, %rax; same %rax, %rdx; movq %xmm15, %rax; same %rax, %r15\n"
            "stmxcsr -8(%rsp); mov -8(%rsp), %eax; and $0xffc0, %eax; mov $0x3f80, %edx; same %eax, %edx\n"
            "fldpi; fucompp; fnstsw %ax; and $0x4500, %ax; mov $0x4000, %dx; same %ax, %dx\n" // equal, and nothing else was on it
            "ldmxcsr (%rsp); add $8, %rsp; mov %rcx, %rax\n"
            "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n");
        static void *watch(void *p) { char c; while (read(0, &c, 1) > 0) { } over = 1; return p; }
        static void count_signal(int s) { (void)s; handled++; handled_inside += inside; }
        static void wait_in_handler(int s) { (void)s; poll(0, 0, -1); }
        static void sleep_well(const char *mode) {
            struct pollfd none = {-1, 0, 0};
            struct epoll_event event;
            int set = epoll_create1(0);
            pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER; pthread_cond_t c = PTHREAD_COND_INITIALIZER;
            struct timespec t = {1, 0}, until;
            clock_gettime(CLOCK_REALTIME, &until); until.tv_sec++;
            double start = seconds(); int result = 0; errno = 0;
            if (!strcmp(mode, "nanosleep")) result = nanosleep(&t, 0);
            if (!strcmp(mode, "poll")) result = poll(&none, 1, 1000);
            if (!strcmp(mode, "epoll")) result = epoll_wait(set, &event, 1, 1000);
            if (!strcmp(mode, "condition")) { pthread_mutex_lock(&m); result = pthread_cond_timedwait(&c, &m, &until) == ETIMEDOUT ? 0 : 1; }
            if (!strcmp(mode, "suspend")) {
                struct itimerval once = {{0, 0}, {1, 0}}; sigset_t none_blocked, now; sigemptyset(&none_blocked);
                setitimer(ITIMER_REAL, &once, 0);
                result = sigsuspend(&none_blocked) == -1 && errno == EINTR && handled == 1 ? 0 : 1; errno = 0;
                sigprocmask(SIG_BLOCK, 0, &now); result += !sigismember(&now, SIGALRM); alarm(60);
            }
            double took = seconds() - start;
            printf("%d %d %s\n", result, errno, took >= 0.99 ? "whole" : "cut short");
        }
        int main(int argc, char **argv) {
            (void)argc; const char *mode = argv[1]; alarm(60);
            // Before its pid is said: the test sends signals from then on.
            struct sigaction a = {0}; a.sa_handler = count_signal; a.sa_flags = SA_RESTART; sigaction(SIGUSR1, &a, 0);
            if (!strcmp(mode, "suspend")) {
                sigset_t alarms; sigemptyset(&alarms); sigaddset(&alarms, SIGALRM);
                sigprocmask(SIG_BLOCK, &alarms, 0); sigaction(SIGALRM, &a, 0);
            }
            printf("%d\n", getpid()); fflush(stdout);
            pthread_t watcher;
            if (!strcmp(mode, "registers")) {
                int spoiled = 0, rounds = 0;
                do {
                    calls = 0; errno = 33;
                    spoiled += (int)spoiled_registers() + (errno != 33); rounds++;
                } while (rounds < 20);
                printf("%d spoiled in %d rounds\n", spoiled, rounds);
            } else if (!strcmp(mode, "signals")) {
                char c; while (read(0, &c, 1) > 0) { }
                printf("%d handled, %d of them inside\n", handled, handled_inside);
            } else if (!strcmp(mode, "handler")) {
                signal(SIGUSR1, wait_in_handler); raise(SIGUSR1);
            } else if (!strcmp(mode, "lock")) {
                static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER; pthread_mutex_lock(&m); pthread_mutex_lock(&m);
            } else if (!strcmp(mode, "read")) {
                char c; while (read(0, &c, 1) > 0) { }
                printf("%d calls\n", calls);
            } else {
                pthread_create(&watcher, 0, watch, 0);
                sleep_well(mode);
                pthread_join(watcher, 0);
            }
            fflush(stdout);
            _exit(0);
        }
        """;
}
