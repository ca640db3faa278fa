using System.Net.Sockets;

namespace NativeHeap.EndToEnd;

/// <summary><c>listen</c>: one collector, and programs that others start.</summary>
public sealed class ListenTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Each_program_gets_a_trace_of_its_own_and_of_what_it_starts_and_nobody_suffers_from_another()
    {
        using var collector = Listening.Start(_folder);
        var steady = new SteadyTarget(_folder);
        using var killed = Program.Start(steady.Command, collector.Around);
        using var silent = Connect(collector.Socket);
        using var counting = Program.Start([Built.Target("exchange"), "20000"], collector.Around);
        using var idle = Program.Start([Built.Target("exchange"), "nothing"], collector.Around);
        using var parent = Program.Start(["sh", "-c", $"{Built.Target("exchange")} 1000 >/dev/null & wait"], collector.Around);
        Say(collector.Socket, new byte[4096]);
        Say(collector.Socket, [1]);
        steady.WaitForOperations(100_000, over: () => killed.HasEnded);
        Signals.Send(killed.Pid, Signals.Kill);

        var own = Account.ParseTarget(counting.Wait().Expect(0).Output);
        idle.Wait().Expect(0);
        parent.Wait().Expect(0);
        killed.Wait().Expect(128 + Signals.Kill);
        var trace = collector.ReportOf(counting.Pid);
        Assert.True(trace is { Complete: true, LostEvents: 0 });
        Assert.Equal(own.Sums + collector.ReportOf(idle.Pid).Totals.Sums, trace.Totals.Sums);
        Assert.Equal(2, collector.ReportOf(parent.Pid).Processes.Select(process => process.Pid).Distinct().Count());
        var dead = collector.ReportOf(killed.Pid);
        Assert.True(dead.Complete);
        Assert.InRange(dead.Totals.Sums.Allocations, steady.Counted.Allocations, steady.Counted.Allocations + 1);

        var end = collector.End().Expect(0);
        Assert.Equal(4, Directory.GetFiles(collector.Traces).Length); // no journal is left beside any
        Assert.DoesNotContain("warning", end.Errors, StringComparison.Ordinal);
        Assert.False(Path.Exists(collector.Socket) || Path.Exists(collector.Socket + ".lock"));
    }

    [Theory]
    [InlineData(Signals.Interrupt)]
    [InlineData(Signals.Terminate)]
    public void When_the_collector_ends_traces_are_whole_and_programs_go_on(int signal)
    {
        const long Operations = 2_000_000;
        using var collector = Listening.Start(_folder);
        var steady = new SteadyTarget(_folder, Operations);
        using var running = Program.Start(steady.Command, collector.Around);
        steady.WaitForOperations(1000, over: () => running.HasEnded);
        collector.End(signal).Expect(0);

        var report = collector.ReportOf(running.Pid);
        Assert.False(report.Complete);
        Assert.InRange(report.Totals.Sums.Allocations, 1, steady.Counted.Allocations);
        Assert.Equal("", running.Wait().Expect(5).Errors);
        Assert.True(steady.Operations == Operations);
    }

    [Fact]
    public void Who_ends_it_the_moment_its_socket_is_there_finds_it_gone_afterwards()
    {
        using var collector = Listening.Begin(_folder["s"], _folder["traces"]);
        collector.Await(() => Path.Exists(collector.Socket), "there is no socket");
        collector.End().Expect(0);
        Assert.False(Path.Exists(collector.Socket) || Path.Exists(collector.Socket + ".lock"));
    }

    [Fact]
    public void Of_two_collectors_on_one_socket_the_second_is_refused_and_after_a_killed_one_the_next_listens()
    {
        using var first = Listening.Start(_folder);
        using var second = Listening.Begin(first.Socket, _folder["other"]);
        var refused = second.WaitForEnd().Expect(2);
        Assert.Equal($"error: cannot listen at {first.Socket}: another collector listens there", Assert.Single(refused.Said));
        Signals.Send(first.Pid, Signals.Kill);
        first.WaitForEnd();

        using var orphan = Program.Start([Built.Target("exchange"), "1000"], first.Around);
        Assert.Equal("", orphan.Wait().Expect(0).Errors); // nobody there: unprofiled
        using var third = Listening.Start(_folder);
        using var recorded = Program.Start([Built.Target("exchange"), "1000"], third.Around);
        recorded.Wait().Expect(0);
        Assert.True(third.ReportOf(recorded.Pid).Complete);
        third.End().Expect(0);
    }

    [Fact]
    public void Socket_folder_and_traces_are_private_to_the_user()
    {
        using var collector = Listening.Start(_folder);
        using var recorded = Program.Start([Built.Target("exchange"), "nothing"], collector.Around);
        recorded.Wait().Expect(0);
        const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        Assert.Equal(Private, File.GetUnixFileMode(collector.Socket));
        Assert.Equal(Private, File.GetUnixFileMode(collector.TraceOf(recorded.Pid)));
        Assert.Equal(Private | UnixFileMode.UserExecute, File.GetUnixFileMode(collector.Traces));
    }

    [Fact]
    public void A_place_that_others_can_change_is_refused()
    {
        var open = Directory.CreateDirectory(_folder["open"]).FullName;
        File.SetUnixFileMode(open, (UnixFileMode)0x1FF);
        using var socket = Listening.Begin(Path.Combine(open, "s"), _folder["traces"]);
        using var traces = Listening.Begin(_folder["s"], open);
        using var file = Listening.Begin(Built.Shim, _folder["traces"]);
        Assert.Contains("everybody can write", Assert.Single(socket.WaitForEnd().Expect(2).Said), StringComparison.Ordinal);
        Assert.Contains("everybody can write", Assert.Single(traces.WaitForEnd().Expect(2).Said), StringComparison.Ordinal);
        Assert.Contains("something else than a socket", Assert.Single(file.WaitForEnd().Expect(2).Said), StringComparison.Ordinal);
        Assert.True(File.Exists(Built.Shim));
    }

    [Fact]
    public void A_program_does_not_trust_a_collector_of_another_user()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root to become another user");
        File.SetUnixFileMode(_folder.Path, (UnixFileMode)0x1FF | UnixFileMode.StickyBit);
        var around = Surroundings.After("set -- setpriv --reuid=12345 --regid=12345 --clear-groups \"$@\"") with
        {
            Environment = new Dictionary<string, string?> { ["HOME"] = _folder.Path, ["DOTNET_CLI_HOME"] = _folder.Path },
        };
        using var collector = Listening.Start(_folder, around);
        File.SetUnixFileMode(collector.Socket, (UnixFileMode)0x1B6);
        using var program = Program.Start([Built.Target("exchange"), "1000"], collector.Around);
        Assert.Equal("", program.Wait().Expect(0).Errors);
        collector.End().Expect(0);
        Assert.Empty(Directory.GetFiles(collector.Traces));
    }

    [Fact]
    public void A_program_whose_pid_namespace_the_collector_does_not_see_is_recorded_to_its_end()
    {
        string[] elsewhere = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "needs root to make a pid namespace");
        Assert.SkipUnless(Environment.OSVersion.Version >= new Version(6, 5), "needs pidfds of a socket's peer (Linux 6.5)");
        using var collector = Listening.Start(_folder, new Surroundings { Wrapper = elsewhere });
        using var program = Program.Start([Built.Target("exchange"), "20000"], collector.Around);
        using var idle = Program.Start([Built.Target("exchange"), "nothing"], collector.Around);
        var own = Account.ParseTarget(program.Wait().Expect(0).Output);
        idle.Wait().Expect(0);
        var trace = collector.ReportOf(program.Pid);
        Assert.True(trace is { Complete: true, LostEvents: 0 });
        Assert.Equal(own.Sums + collector.ReportOf(idle.Pid).Totals.Sums, trace.Totals.Sums);
    }

    private static Socket Connect(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, 0);
        socket.Connect(new UnixDomainSocketEndPoint(path));
        return socket;
    }

    private static void Say(string path, byte[] bytes)
    {
        using var socket = Connect(path);
        socket.Send(bytes);
    }
}
