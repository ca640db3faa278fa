namespace NativeHeap.EndToEnd.Attaching;

/// <summary>Whom a collector does not take over, though one before it has recorded them; each goes on as it was.</summary>
public sealed class TakeoverRefusalTests : IDisposable
{
    private const int Nobody = 65534;

    private readonly TempFolder _folder = new();
    private int _programs;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(Signals.Kill)]
    [InlineData(Signals.Terminate)]
    public void Paused_and_detached_programs_and_those_of_another_socket_are_left_alone(int signal)
    {
        using var first = Listening.Start(_folder);
        using var paused = Start(first.Around);
        using var resumed = Start(first.Around);
        using var detached = Start(first.Around);
        Ask("pause", paused.Program.Pid);
        Ask("pause", resumed.Program.Pid);
        Ask("resume", resumed.Program.Pid);
        var elsewhere = new TempFolder();
        using var other = Listening.Start(elsewhere);
        using var stranger = Start(other.Around);
        other.End(signal);
        first.End(signal);
        Attachment.Cycle(_folder, detached.Program.Pid, () => detached.Program.Step('a', detached.Done)).Dispose();

        using var next = Successor.Start(_folder);
        next.AwaitTakeover(resumed.Program.Pid);
        Assert.Contains(
            $"was paused and is left alone; nativeheap attach -p {paused.Program.Pid} records it",
            next.Await($"process {paused.Program.Pid} (stepwise) "), StringComparison.Ordinal);
        // Who comes now was asked for after all of them.
        using var last = Start(next.Collector.Around);
        Finish(last);
        Finish(paused, detached, stranger, resumed);
        Assert.Equal(new Sums(200, 0, 200_000, 200, 200_000), Listening.Read(next.Collector.TraceOf(resumed.Program.Pid, 2)).Totals.Sums);
        next.Collector.End().Expect(0);
        Assert.Equal((1, 1, 0), (
            next.Collector.CountTraces(paused.Program.Pid),
            next.Collector.CountTraces(detached.Program.Pid),
            next.Collector.CountTraces(stranger.Program.Pid)));
        Assert.DoesNotContain("warning", next.Said, StringComparison.Ordinal);
        elsewhere.Dispose();
    }

    [Fact]
    public void With_no_takeover_none_is_and_the_collector_after_that_may_still_do_it()
    {
        using var first = Listening.Start(_folder);
        using var program = Start(first.Around);
        first.End(Signals.Kill);
        using (var without = Successor.Start(_folder, "--no-takeover"))
        {
            using var other = Start(without.Collector.Around);
            Finish(other);
            _ = without.Collector.TraceOf(other.Program.Pid); // by then somebody would have been called
            without.Collector.End().Expect(0);
            Assert.Equal(1, without.Collector.CountTraces(program.Program.Pid));
            Assert.Contains($"memfd:nativeheap-{first.Pid}-", File.ReadAllText($"/proc/{program.Program.Pid}/maps"), StringComparison.Ordinal);
        }
        using var with = Successor.Start(_folder);
        with.AwaitTakeover(program.Program.Pid);
        Finish(program);
    }

    [Fact]
    public void One_that_cannot_be_called_is_told_in_a_line_and_the_others_are_served()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root to become another user");
        const string Script =
            """
            import os, sys
            os.setuid(65534)
            done = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
            while step := os.read(0, 1):
                os.write(done, step)
            """;
        using var first = Listening.Start(_folder);
        File.SetUnixFileMode(_folder.Path, (UnixFileMode)0x1FF | UnixFileMode.StickyBit);
        var done = _folder.Write("done", "");
        File.SetUnixFileMode(done, (UnixFileMode)0x1B6);
        using var changed = Program.Start(["/usr/bin/python3", "-c", Script, done], first.Around with { KeepInput = true });
        changed.Step('a', done);
        using var stopped = Start(first.Around);
        Signals.Send(stopped.Program.Pid, Signals.Stop);
        using var good = Start(first.Around);
        first.End(Signals.Kill);

        using var next = Successor.Start(_folder);
        next.AwaitTakeover(good.Program.Pid);
        next.Await($"warning: not taken over: process {changed.Pid} belongs to another user ({Nobody}); attach as that user");
        next.Await($"warning: not taken over: process {stopped.Program.Pid} is stopped; let it go on first: kill -CONT {stopped.Program.Pid}");
        Signals.Send(stopped.Program.Pid, Signals.Continue);
        Finish(stopped, good);
        changed.EndInput();
        Assert.Equal("", changed.Wait().Expect(0).Errors);
        Assert.Equal(1, next.Collector.CountTraces(stopped.Program.Pid));
        next.Collector.End().Expect(0);
    }

    [Fact]
    [Trait("repeated", "yes")]
    public void A_collector_that_is_ended_or_killed_while_it_takes_over_leaves_programs_and_traces_whole()
    {
        const int AtOnce = 5;
        var random = Seed.Next();
        using var first = Listening.Start(_folder);
        var programs = Enumerable.Range(0, AtOnce).Select(_ => Start(first.Around)).ToList();
        first.End(Signals.Kill);
        for (var round = 0; round < Seed.Times / 4; round++)
        {
            using var next = Successor.Start(_folder);
            Listening.WaitUntil(() => next.Said.Contains("recording process", StringComparison.Ordinal), "it takes nobody over");
            for (var clock = System.Diagnostics.Stopwatch.StartNew(); clock.ElapsedMilliseconds < random.Next(150);)
            {
                Thread.SpinWait(100);
            }
            if (round % 2 == 0)
            {
                next.Collector.End().Expect(0);
                // Every trace that was begun is closed.
                Assert.Equal(Traces(next, "recording process ", " to "), Traces(next, "wrote "));
            }
            else
            {
                next.Collector.End(Signals.Kill);
            }
            Assert.DoesNotContain("warning", next.Said, StringComparison.Ordinal);
        }
        using var last = Successor.Start(_folder);
        programs.ForEach(program => last.AwaitTakeover(program.Program.Pid));
        Finish([.. programs]);
        foreach (var program in programs)
        {
            var pid = program.Program.Pid;
            var report = Listening.Read(last.Collector.TraceOf(pid, last.Collector.CountTraces(pid)));
            Assert.Equal(new Sums(200, 0, 200_000, 200, 200_000), report.Totals.Sums);
            program.Dispose();
        }
        last.Collector.End().Expect(0);
    }

    private static string Traces(Successor collector, string begin, string before = "wrote ") => string.Join('\n', collector.Said.Split('\n')
        .Where(line => line.StartsWith("nativeheap: " + begin, StringComparison.Ordinal))
        .Select(line => line[(line.IndexOf(before, StringComparison.Ordinal) + before.Length)..]).Order(StringComparer.Ordinal));

    private sealed record Running(Program Program, string Done) : IDisposable
    {
        public void Dispose() => Program.Dispose();
    }

    // It has allocated 100 blocks.
    private Running Start(Surroundings around)
    {
        var done = _folder[$"done{++_programs}"];
        var program = Program.Start([Built.Target("stepwise"), done], around with { KeepInput = true });
        program.Step('a', done);
        return new Running(program, done);
    }

    // They allocate 200 more, and end as ever.
    private static void Finish(params Running[] programs)
    {
        foreach (var (program, done) in programs)
        {
            program.Step('a', done);
            program.Step('a', done);
            program.EndInput();
            var end = program.Wait().Expect(0);
            Assert.Equal(("", ""), (end.Output, end.Errors));
        }
    }

    private static void Ask(string verb, int pid) => Program.Run(["dotnet", Built.Command, verb, "-p", $"{pid}"]).Expect(0);
}
