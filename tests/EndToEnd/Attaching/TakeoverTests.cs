namespace NativeHeap.EndToEnd.Attaching;

/// <summary>A collector that listens where another one did records on what that one has recorded.</summary>
public sealed class TakeoverTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [Trait("repeated", "yes")]
    [InlineData(Signals.Kill)]
    [InlineData(Signals.Terminate)]
    public void What_happens_after_each_restart_is_counted_exactly(int signal)
    {
        var done = _folder["done"];
        using var first = Listening.Start(_folder);
        using var program = Start(first, "stepwise", done);
        program.Step('a', done);
        first.End(signal);
        program.Step('b', done); // nobody is there
        for (var i = 0; i < Cycles.Count; i++)
        {
            using var next = Successor.Start(_folder);
            next.AwaitTakeover(program.Pid);
            program.Step('a', done);
            program.Step('c', done);
            next.Collector.End(i % 2 == 0 ? Signals.Terminate : Signals.Interrupt).Expect(0);
            program.Step('b', done);
            var trace = next.Collector.TraceOf(program.Pid, i + 2);
            var report = Listening.Read(trace);
            // Those that step c frees are of a step b that nobody saw.
            Assert.Equal(new Sums(130, 0, 103_000, 130, 103_000), report.Totals.Sums);
            Assert.Equal(0, report.LostEvents);
            string[] query = ["dotnet", Built.Command, "sql", trace, "--csv", "SELECT origin, earlier_frees, note FROM process"];
            Assert.Matches(
                @"\nattach,20,recording began \d+\.\d s after the program's start; blocks from before are unknown",
                Program.Run(query).Expect(0).Output);
            Assert.DoesNotContain("warning", next.Said, StringComparison.Ordinal);
        }
        program.EndInput();
        Assert.Equal(("", ""), (program.Wait().Expect(0).Output, program.Wait().Errors));
        Assert.Equal(Cycles.Count + 1, first.CountTraces(program.Pid));
    }

    [Fact]
    public void A_program_that_found_its_collector_dead_and_went_on_is_recorded_to_its_end()
    {
        var target = new SteadyTarget(_folder);
        using var first = Listening.Start(_folder);
        using var program = Program.Start(target.Command, first.Around);
        target.WaitForOperations(1000, over: () => program.HasEnded);
        first.End(Signals.Kill);
        target.WaitForOperations(target.Operations + 100_000, over: () => program.HasEnded); // its ring has been full
        var before = target.Counted;
        using var next = Successor.Start(_folder);
        next.AwaitTakeover(program.Pid);
        var since = target.Counted;
        target.WaitForOperations(target.Operations + 200_000, over: () => program.HasEnded);
        Signals.Send(program.Pid, Signals.Kill);

        Assert.Equal("", program.Wait().Expect(128 + Signals.Kill).Errors);
        var report = Listening.Read(next.Collector.TraceOf(program.Pid, 2));
        Assert.True(report is { Complete: true, LostEvents: 0 });
        Assert.InRange(
            report.Totals.Sums.Allocations, target.Counted.Allocations - since.Allocations, target.Counted.Allocations - before.Allocations + 1);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // by themselves: the loader, which we call on the way, allocates and has a child take note of its fork
    public void Forked_processes_come_into_one_trace_whether_they_had_recorded_or_not(bool byThemselves)
    {
        var done = _folder["done"];
        using var first = Listening.Start(_folder);
        using var program = Start(first, "family", done);
        program.Step('f', done);
        program.Step('a', done);
        program.Step('f', done); // one that has allocated nothing when the collector is killed
        first.End(Signals.Kill);
        program.Step('f', done); // and one that it never saw
        var children = Signals.ChildrenOf(program.Pid).Select(child => child.Pid).ToList();
        using var next = Successor.Start(_folder, byThemselves ? ["--no-takeover"] : []);
        if (byThemselves)
        {
            program.Step('g', done);
        }
        else
        {
            next.AwaitTakeover(program.Pid);
            children.ForEach(child => next.AwaitTakeover(child));
        }
        program.Step('a', done);
        program.Step('f', done); // it follows its parent as ever
        program.Step('a', done);
        program.EndInput();

        Assert.Equal("", program.Wait().Expect(5).Errors);
        var report = Listening.Read(next.Collector.TraceOf(program.Pid, 2));
        Assert.Equal(5, report.Processes.Count);
        Assert.All(
            report.Processes.Where(process => process.Pid == program.Pid || children.Contains(process.Pid)),
            process => Assert.Equal(new Sums(200, 0, 200_000, 200, 200_000), process.Totals.Sums));
        Assert.Equal(new Sums(900, 0, 900_000, 900, 900_000), report.Totals.Sums);
        Assert.True(report is { Complete: true, LostEvents: 0 });
        Assert.All(children, child => Assert.Equal(0, next.Collector.CountTraces(child)));
    }

    [Fact]
    public void What_a_programs_environment_asks_for_holds_on()
    {
        var done = _folder["done"];
        using var first = Listening.Start(_folder);
        var environment = new Dictionary<string, string?>(first.Around.Environment)
        {
            ["NATIVEHEAP_SAMPLE"] = "1KiB",
            ["NATIVEHEAP_FOLLOW"] = "no",
        };
        using var program = Program.Start(
            [Built.Target("family"), done], first.Around with { KeepInput = true, Environment = environment });
        program.Step('f', done);
        program.Step('a', done);
        using var last = Start(first, "stepwise", _folder["last"]);
        last.Step('a', _folder["last"]);
        first.End(Signals.Kill);
        using var next = Successor.Start(_folder);
        next.AwaitTakeover(program.Pid);
        next.AwaitTakeover(last.Pid); // and nobody in between
        program.Step('a', done);
        program.EndInput();
        Assert.Equal("", program.Wait().Expect(5).Errors);
        var report = Listening.Read(next.Collector.TraceOf(program.Pid, 2));
        Assert.False(report.Exact);
        Assert.Equal(program.Pid, Assert.Single(report.Processes).Pid);
        Assert.Equal(2, next.Said.Split("took over process ").Length - 1);
    }

    [Fact]
    public void A_program_that_forked_by_vfork_and_its_child_share_their_memory_and_are_not_called()
    {
        var done = _folder["done"];
        using var first = Listening.Start(_folder);
        using var program = Start(first, "family", done);
        program.Step('a', done);
        program.Step('v', done);
        first.End(Signals.Kill);
        var child = Signals.ChildrenOf(program.Pid).Single().Pid;
        using (var next = Successor.Start(_folder))
        {
            next.Await($"not taken over: process {child} is just being attached to");
            next.Await($"not taken over: process {program.Pid} ");
            next.Collector.End().Expect(0);
        }
        program.Step('v', done); // lets the child go
        program.Step('a', done);
        using (var next = Successor.Start(_folder))
        {
            next.AwaitTakeover(program.Pid);
            program.Step('a', done);
            program.EndInput();
            Assert.Equal("", program.Wait().Expect(5).Errors);
            Assert.Equal(new Sums(100, 0, 100_000, 100, 100_000), Listening.Read(next.Collector.TraceOf(program.Pid, 2)).Totals.Sums);
        }
    }

    [Fact]
    public void Python_and_a_server_of_several_processes_are_recorded_on()
    {
        const string Script =
            """
            import os, sys, ctypes
            malloc = ctypes.CDLL(None).malloc
            malloc.restype = ctypes.c_void_p
            kept = []
            done = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            while step := os.read(0, 1):
                kept += [malloc(54321) for _ in range(100)]
                os.write(done, step)
            sys.exit(6)
            """;
        var done = _folder["done"];
        using var first = Listening.Start(_folder);
        using var python = Program.Start(["/usr/bin/python3", "-c", Script, done], first.Around with { KeepInput = true });
        python.Step('a', done);
        first.End(Signals.Kill);
        using var next = Successor.Start(_folder);
        next.AwaitTakeover(python.Pid);
        python.Step('a', done);
        python.Step('a', done);
        python.EndInput();
        Assert.Equal("", python.Wait().Expect(6).Errors);
        var report = Listening.Read(TraceOf(next.Collector, python.Pid));
        Assert.Equal(200, report.Stacks.Where(stack => stack.Bytes == stack.Blocks * 54321).Sum(stack => stack.Blocks));
        Assert.True(report is { Complete: true, LostEvents: 0 });
    }

    [Fact]
    public void A_shim_that_finds_nobody_may_be_called_again_later()
    {
        const string Script =
            """
            import ctypes, os
            attach = ctypes.CDLL(None).nativeheap_attach
            while step := os.read(0, 1):
                os.write(1, b'%d' % attach(b'again'))
                os.write(int(os.environ['DONE']), step)
            """;
        var done = _folder["done"];
        using var first = Listening.Start(_folder);
        using var python = Program.Start(
            ["/bin/sh", "-c", $"exec 9>>{done}; DONE=9 exec /usr/bin/python3 -c \"$1\"", "sh", Script], first.Around with { KeepInput = true });
        python.Step('r', done); // it is recorded
        first.End(Signals.Kill);
        python.Step('n', done); // nobody is there
        python.Step('n', done);
        using var next = Successor.Start(_folder);
        next.AwaitTakeover(python.Pid);
        python.Step('r', done);
        python.EndInput();
        const int AlreadyRecording = 1, NoCollector = 4;
        Assert.Equal($"{AlreadyRecording}{NoCollector}{NoCollector}{AlreadyRecording}", python.Wait().Expect(0).Output);
    }

    [Fact]
    public void The_signal_for_snapshots_is_the_new_collectors_also_where_the_program_had_noticed_that_the_first_was_gone()
    {
        const int User1 = 10, User2 = 12;
        var target = new SteadyTarget(_folder);
        using var first = Listening.Start(_folder, null, "--snapshot-signal", "USR1");
        using var program = Program.Start(target.Command, first.Around);
        target.WaitForOperations(1000, over: () => program.HasEnded);
        first.End(Signals.Kill);
        target.WaitForOperations(target.Operations + 100_000, over: () => program.HasEnded);
        using var next = Successor.Start(_folder, "--snapshot-signal", "USR2");
        next.AwaitTakeover(program.Pid);
        Signals.Send(program.Pid, User2);
        Listening.WaitUntil(() => next.Collector.Snapshots(program.Pid, 2).StartsWith("signal ", StringComparison.Ordinal), "no snapshot is taken");
        Signals.Send(program.Pid, User1); // which is the program's own again
        Assert.Equal("", program.Wait().Expect(128 + User1).Errors);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // what is loaded cannot be told by the name that it was loaded by
    public void A_shim_that_was_replaced_on_disk_is_not_loaded_a_second_time(bool byLink)
    {
        var done = _folder["done"];
        var shim = Directory.CreateDirectory(_folder["lib"]).FullName + "/libnativeheap.so";
        File.Copy(Built.Shim, shim);
        Directory.CreateSymbolicLink(_folder["link"], _folder["lib"]);
        using var first = Listening.Start(_folder);
        var around = first.Around;
        var environment = new Dictionary<string, string?>(around.Environment)
        {
            ["LD_PRELOAD"] = byLink ? _folder["link/libnativeheap.so"] : shim,
        };
        using var program = Program.Start([Built.Target("stepwise"), done], around with { KeepInput = true, Environment = environment });
        program.Step('a', done);
        first.End(Signals.Kill);
        File.Copy(Built.Shim, shim + ".new");
        File.Move(shim + ".new", shim, overwrite: true);
        using var next = Successor.Start(_folder);
        if (byLink)
        {
            next.Await($"warning: not taken over: process {program.Pid} has a shim loaded that is not at its path any more");
        }
        else
        {
            next.AwaitTakeover(program.Pid);
        }
        var inodes = File.ReadLines($"/proc/{program.Pid}/maps").Where(line => line.Contains("libnativeheap", StringComparison.Ordinal))
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[4]).Distinct();
        Assert.Single(inodes);
        program.Step('a', done);
        program.EndInput();
        Assert.Equal("", program.Wait().Expect(0).Errors);
    }

    private static Program Start(Listening collector, string target, string done) =>
        Program.Start([Built.Target(target), done], collector.Around with { KeepInput = true });

    // The name that a program has at its start may be another one later: that of env, of a script's interpreter.
    private static string TraceOf(Listening collector, int pid) =>
        collector.TraceOf(pid, Math.Max(1, collector.CountTraces(pid)));
}
