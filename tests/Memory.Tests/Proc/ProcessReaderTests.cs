using System.Diagnostics;
using System.Globalization;
using NativeHeap.Memory.Proc;
using NativeHeap.Testing;

namespace NativeHeap.Memory.Tests.Proc;

public sealed class ProcessReaderTests : IDisposable
{
    // Says its own figures, waits for the end of its input.
    private const string Waiting = """
        #define _GNU_SOURCE
        #include <pthread.h>
        #include <stdio.h>
        #include <unistd.h>
        static pthread_barrier_t ready;
        static void *named(void *arg) {
            pthread_setname_np(pthread_self(), "a) R 1 worker");
            pthread_barrier_wait(&ready);
            pause();
            return arg;
        }
        int main(void) {
            pthread_t thread;
            pthread_barrier_init(&ready, 0, 2);
            pthread_create(&thread, 0, named, 0);
            pthread_barrier_wait(&ready);
            printf("%d %p\n", getppid(), (void *)&ready);
            fflush(stdout);
            getchar();
            return 0;
        }
        """;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_running_process_shows_its_arguments_environment_executable_and_threads()
    {
        var path = Tool.CompileC(_folder, "a program", Waiting, "-pthread");
        var start = new ProcessStartInfo(path, ["two words", string.Empty, "last"]);
        start.Environment["NATIVEHEAP_TEST"] = "a=b c";
        using var program = new RunningProgram(start);
        var reader = new ProcessReader(program.Pid);

        Assert.Equal([path, "two words", string.Empty, "last"], reader.ReadCommandLine());
        Assert.Contains(new("NATIVEHEAP_TEST", "a=b c"), reader.ReadEnvironment()!);
        Assert.Equal(path, reader.ReadExecutable());
        Assert.Equal("a program", reader.ReadName());
        var threads = reader.ReadThreads()!;
        Assert.Equal(2, threads.Count);
        Assert.Contains(program.Pid, threads);
        var worker = threads.Single(tid => tid != program.Pid);
        Assert.Equal("a) R 1 worker", reader.ReadThreadName(worker));
    }

    [Fact]
    public void Stat_and_status_agree_with_what_the_process_says_of_itself()
    {
        using var program = new RunningProgram(Tool.CompileC(_folder, "program", Waiting, "-pthread"));
        var reader = new ProcessReader(program.Pid);
        var parent = int.Parse(program.FirstLine.Split(' ')[0], CultureInfo.InvariantCulture);

        var stat = reader.ReadStat()!;
        var status = reader.ReadStatus()!;

        Assert.Equal((program.Pid, "program", parent, 2), (stat.Pid, stat.Name, stat.ParentPid, stat.ThreadCount));
        Assert.Equal((program.Pid, parent, 2), (status.ProcessId, status.ParentPid, status.ThreadCount));
        Assert.Equal(0, status.TracerPid);
        Assert.False(status.NoNewPrivileges);
        Assert.Equal(4, status.UserIds!.Count);
        Assert.Null(stat.WaitStatus);
        Assert.Equal(stat.StartTicks, reader.ReadStat()!.StartTicks);
        Assert.InRange(status.ResidentBytes!.Value, 1, status.VirtualBytes!.Value);
    }

    [Fact]
    public void A_thread_whose_name_looks_like_fields_does_not_shift_them()
    {
        using var program = new RunningProgram(Tool.CompileC(_folder, "program", Waiting, "-pthread"));
        var reader = new ProcessReader(program.Pid);
        var worker = reader.ReadThreads()!.Single(tid => tid != program.Pid);

        var stat = reader.ReadThreadStat(worker)!;

        Assert.Equal("a) R 1 worker", stat.Name);
        Assert.Equal(program.FirstLine.Split(' ')[0], stat.ParentPid.ToString(CultureInfo.InvariantCulture));
        Assert.Equal(2, stat.ThreadCount);
    }

    [Fact]
    public void The_mapping_that_holds_a_variable_is_writable_and_of_the_program()
    {
        var path = Tool.CompileC(_folder, "program", Waiting, "-pthread");
        using var program = new RunningProgram(path);
        var address = Convert.ToUInt64(program.FirstLine.Split(' ')[1], 16);

        var mappings = new ProcessReader(program.Pid).ReadMappings()!;

        var data = mappings.Single(mapping => address >= mapping.Start && address < mapping.End);
        Assert.Equal((true, true, false, false), (data.IsReadable, data.IsWritable, data.IsExecutable, data.IsShared));
        Assert.Equal(path, data.Path);
        Assert.NotEqual(0ul, data.Inode);
        Assert.Contains(mappings, mapping => mapping.Path == path && mapping.IsExecutable && mapping.Offset > 0);
        Assert.Equal(mappings.OrderBy(mapping => mapping.Start), mappings);
    }

    [Fact]
    public void A_zombie_keeps_its_exit_status_and_has_no_memory()
    {
        var path = Tool.CompileC(_folder, "program", """
            #include <signal.h>
            #include <stdio.h>
            #include <sys/wait.h>
            #include <unistd.h>
            int main(void) {
                int codes[] = {0, 7, -9};
                for (int i = 0; i < 3; i++) {
                    pid_t pid = fork();
                    if (pid == 0) {
                        if (codes[i] < 0) raise(-codes[i]);
                        _exit(codes[i]);
                    }
                    siginfo_t info;
                    waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
                    printf("%d ", pid);
                }
                printf("\n");
                fflush(stdout);
                getchar();
                return 0;
            }
            """);
        using var program = new RunningProgram(path);
        var zombies = program.FirstLine.Trim().Split(' ')
            .Select(pid => new ProcessReader(int.Parse(pid, CultureInfo.InvariantCulture)))
            .ToList();

        Assert.All(zombies, zombie => Assert.True(zombie.ReadStat()!.IsZombie));
        Assert.Equal([0, 7 << 8, 9], zombies.Select(zombie => zombie.ReadStat()!.WaitStatus!.Value));
        Assert.Null(zombies[0].ReadResidentMemory());
        Assert.Null(zombies[0].ReadResidentBytes());
        Assert.Empty(zombies[0].ReadMappings()!);
    }

    [Fact]
    public void A_process_that_is_gone_reads_as_nothing_everywhere()
    {
        using var program = new RunningProgram(Tool.CompileC(_folder, "program", Waiting, "-pthread"));
        var reader = new ProcessReader(program.Pid);
        Assert.NotNull(reader.ReadStat());

        program.End();

        Assert.Null(reader.ReadStat());
        Assert.Null(reader.ReadStatus());
        Assert.Null(reader.ReadMappings());
        Assert.Null(reader.ReadResidentMemory());
        Assert.Null(reader.ReadResidentBytes());
        Assert.Null(reader.ReadEnvironment());
        Assert.Null(reader.ReadCommandLine());
        Assert.Null(reader.ReadExecutable());
        Assert.Null(reader.ReadName());
        Assert.Null(reader.ReadThreads());
        Assert.Null(reader.ReadThreadName(program.Pid));
        Assert.Null(reader.ReadThreadStat(program.Pid));
    }
}
