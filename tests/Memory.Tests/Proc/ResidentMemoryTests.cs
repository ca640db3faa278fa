using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;
using NativeHeap.Testing;

namespace NativeHeap.Memory.Tests.Proc;

public sealed class ResidentMemoryTests : IDisposable
{
    private const long MiB = 1 << 20;
    private const long Slack = 2 * MiB; // what any process has of a part, start-up included

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_part_holds_what_the_program_touched_of_it_and_all_add_up_to_rss()
    {
        var path = Tool.CompileC(_folder, "program", """
            #define _GNU_SOURCE
            #include <fcntl.h>
            #include <pthread.h>
            #include <stdio.h>
            #include <stdlib.h>
            #include <string.h>
            #include <sys/mman.h>
            #include <unistd.h>
            #define MIB (1 << 20)
            static pthread_barrier_t ready;
            static void *deep(void *arg) {
                volatile char frame[4 * MIB];
                memset((char *)frame, 1, sizeof frame);
                for (int i = 0; i < 4 * 1024; i++) memset(malloc(1016), 1, 1016); // in the thread's arena
                pthread_barrier_wait(&ready);
                pause();
                return (void *)frame[0];
            }
            static void map_shared(const char *name, size_t bytes) {
                int fd = memfd_create(name, 0);
                ftruncate(fd, bytes);
                memset(mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), 1, bytes);
            }
            int main(int n, char **v) {
                pthread_t threads[2];
                pthread_barrier_init(&ready, 0, 3);
                for (int i = 0; i < 2; i++) pthread_create(&threads[i], 0, deep, 0);
                pthread_barrier_wait(&ready);
                for (int i = 0; i < 24 * 1024; i++) memset(malloc(1016), 1, 1016);
                for (int i = 0; i < 3; i++) memset(malloc(2 * MIB), 1, 2 * MIB); // mappings of their own
                memset(mmap(0, 16 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, 16 * MIB);
                map_shared("somebody", 12 * MIB);
                map_shared("nativeheap", 6 * MIB);
                int file = open(v[1], O_RDWR | O_CREAT, 0600);
                ftruncate(file, 20 * MIB);
                memset(mmap(0, 20 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0), 1, 20 * MIB);
                printf("ready\n");
                fflush(stdout);
                getchar();
                return 0;
            }
            """, "-O1", "-pthread");
        using var program = new RunningProgram(path, _folder["data"]);

        using var reader = new ProcessMemory(program.Pid);
        var memory = new ProcessReader(program.Pid).ReadResidentMemory(reader)!;

        Assert.InRange(memory.ThreadStackBytes, 8 * MiB, (8 * MiB) + Slack);
        Assert.InRange(memory.MallocBytes, 38 * MiB, (38 * MiB) + Slack); // 24, 3 × 2 and 2 × 4
        Assert.InRange(memory.AnonymousBytes, 16 * MiB, (16 * MiB) + Slack);
        Assert.Equal(0, memory.GcHeapBytes);
        Assert.InRange(memory.SharedMemoryBytes, 12 * MiB, 12 * MiB);
        Assert.InRange(memory.ProfilerBytes, 6 * MiB, 6 * MiB);
        Assert.InRange(memory.MappedFileBytes, 20 * MiB, (20 * MiB) + (2 * Slack));
        Assert.InRange(memory.OtherBytes, 0, MiB);
        Assert.InRange(memory.UnexplainedBytes, -MiB, MiB);
        Assert.Equal(memory.RssBytes, memory.Parts.Sum(part => part.Bytes) + memory.UnexplainedBytes);
    }

    [Theory]
    [InlineData("7f0000000000-7f0000100000 rw-s 00000000 00:05 9 /dev/zero (deleted)", "shared memory")]
    [InlineData("7f0000000000-7f0000100000 rw-s 00000000 00:05 9 /SYSV00000000 (deleted)", "shared memory")]
    [InlineData("7f0000000000-7f0000100000 rw-s 00000000 00:05 9 /dev/shm/x", "shared memory")]
    [InlineData("7f0000000000-7f0000100000 r-xs 00000000 00:01 9 /memfd:doublemapper (deleted)", "JIT and loader")]
    [InlineData("7f0000000000-7f0000100000 rwxp 00000000 00:00 0 ", "JIT and loader")]
    [InlineData("7f0000000000-7f0000100000 rw-p 00000000 00:00 0 [anon: glibc: malloc]", "other anonymous")] // a name that anybody may give
    [InlineData("55d000000000-55d000100000 rw-p 00000000 00:00 0 [heap]", "malloc heap")]
    [InlineData("7f0000000000-7f0000100000 rw-p 00000000 00:00 0 [anon:nativeheap rows]", "profiler")]
    [InlineData("7f0000000000-7f0000100000 r-xp 00000000 08:01 9 /opt/lib/libnativeheap.so", "profiler")]
    [InlineData("7f0000000000-7f0000100000 rw-s 00000000 00:06 9 /dev/dri/card0", "other")]
    [InlineData("7f0000000000-7f0000100000 r-xp 00000000 00:00 0 [vdso]", "other")]
    [InlineData("7f0000000000-7f0000100000 rw-p 00000000 00:00 0 [stack]", "thread stacks")]
    [InlineData("7f0000000000-7f0000100000 r--p 00000000 08:01 9 /a file\\012(deleted)", "mapped files")]
    public void A_mapping_counts_for_the_part_its_name_tells(string line, string part)
    {
        var memory = Read(line);

        Assert.Equal([part], memory.Parts.Where(entry => entry.Bytes != 0).Select(entry => entry.Name));
        Assert.Equal(68 * 1024, memory.Parts.Sum(entry => entry.Bytes));
    }

    [Theory]
    [InlineData("7f0000000000-7f0000001000 ---p 00000000 00:00 0 ", "thread stacks")]
    [InlineData("7effffff0000-7f0000001000 ---p 00000000 00:00 0 ", "other anonymous")]
    [InlineData("7efffffff000-7f0000000000 ---p 00000000 00:00 0 ", "other anonymous")]
    [InlineData("7f0000000000-7f0000001000 r--p 00000000 00:00 0 ", "other anonymous")]
    public void Only_what_touches_a_small_guard_below_is_taken_for_a_stack(string before, string part)
    {
        var memory = Read(before + "\nRss: 0 kB\n7f0000001000-7f0000801000 rw-p 00000000 00:00 0 ");

        Assert.Equal([part], memory.Parts.Where(entry => entry.Bytes != 0).Select(entry => entry.Name));
    }

    [Theory]
    [InlineData("7f8000000000", "/usr/lib/libcoreclr.so", "GC heap")]
    [InlineData("7f8000000000", "/usr/lib/libother.so", "other anonymous")]
    [InlineData("7f0020000000", "/usr/lib/libcoreclr.so", "other anonymous")] // too small a reservation
    public void What_a_runtime_has_committed_of_a_large_reservation_is_its_collectors(string end, string library, string part)
    {
        var memory = Read(
            "7f0000000000-7f0000100000 ---p 00000000 00:00 0 \nRss: 0 kB\n"
            + "7f0000100000-7f0000200000 rw-p 00000000 00:00 0 \nRss: 512 kB\n"
            + $"7f0000200000-{end} ---p 00000000 00:00 0 \nRss: 0 kB\n"
            + $"7fa000000000-7fa000100000 r-xp 00000000 08:01 9 {library}");

        Assert.Equal(512 * 1024, memory.Parts.Single(entry => entry.Name == part).Bytes);
        Assert.Equal(580 * 1024, memory.Parts.Sum(entry => entry.Bytes));
    }

    [Fact]
    public void Memory_that_holds_a_stack_pointer_is_a_stack_without_any_guard()
    {
        var smaps = "7f0000001000-7f0000801000 rw-p 00000000 00:00 0 ";

        Assert.Equal(68 * 1024, Read(smaps, "35 0x7f 0x0 0x7f0000800ff8 0x7f1111111111").ThreadStackBytes);
        Assert.Equal(0, Read(smaps, "35 0x7f 0x0 0x7f0000801000 0x7f1111111111").ThreadStackBytes);
        Assert.Equal(0, Read(smaps, "running").ThreadStackBytes);
    }

    private ResidentMemory Read(string lines, string systemCall = "running")
    {
        _folder.Write("42/smaps", lines + "\nSize: 1024 kB\nRss:                  68 kB\nPss: 10 kB\n");
        _folder.Write("42/statm", "1000 20 10 1 0 5 0\n");
        _folder.Write("42/task/42/syscall", systemCall + "\n");
        var memory = new ProcessReader(42, _folder.Path).ReadResidentMemory()!;
        Assert.Equal(20 * Environment.SystemPageSize, memory.RssBytes);
        return memory;
    }
}
