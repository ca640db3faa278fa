namespace NativeHeap.EndToEnd.Programs;

/// <summary>Programs of aarch64, on an emulated processor, under the shim that was built for it.</summary>
public sealed class OtherProcessorTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("entry_points")]
    [InlineData("loader")]
    public void Totals_are_what_the_program_counts(string target, params string[] arguments)
    {
        var own = Account.ParseTarget(Program.Run(Command(target, ToFile("out.raw"), arguments)).Expect(0).Output);
        Program.Run(Command(target, ToFile("idle.raw"), "nothing")).Expect(0);
        var raw = Convert("out.raw");
        Assert.True(raw is { Complete: true, LostEvents: 0 });
        Assert.Equal(own.Sums + Convert("idle.raw").Totals.Sums, raw.Totals.Sums);
    }

    [Fact]
    public void Forked_children_are_told_apart_though_the_emulator_does_not_wipe_memory_for_them()
    {
        var own = Account.ParseTarget(Program.Run(Command("forks", ToFile("out.raw"), "20")).Expect(0).Output);
        var raw = Convert("out.raw");
        Assert.True(raw is { Complete: true, LostEvents: 0 });
        Assert.Equal(20, raw.Processes.Count(process => process.ParentPid == raw.First.Pid));
        Assert.All(raw.Processes.Skip(1), child => Assert.Equal(new Sums(10, 5, 1000, 5, 500), child.Totals.Sums));
        Assert.Equal(own.Sums.Frees, raw.First.Totals.Sums.Frees);
    }

    [Fact]
    public void Stacks_are_those_of_the_same_program_on_this_processor()
    {
        using var here = Recording.Run(_folder, [Built.Target("line_by_line"), "3"]);
        Program.Run(Command("line_by_line", ToFile("out.raw"), "3")).Expect(0);
        Assert.Equal(StacksUpToMain(here.Report), StacksUpToMain(Convert("out.raw")));
    }

    [Fact]
    public void A_collector_of_this_processor_records_them_too_and_calls_them_by_their_name()
    {
        using var collector = Listening.Start(_folder);
        using var program = Program.Start(Command("line_by_line", $"NATIVEHEAP_SOCKET={collector.Socket}", "3"));
        program.Wait().Expect(0);
        var report = collector.ReportOf(program.Pid);
        Assert.True(report is { Complete: true, LostEvents: 0 });
        Assert.Equal(5, report.Stacks.Count(stack => stack.Goes("recursive")));
        Assert.All(report.Stacks, stack => Assert.Equal("line_by_line", Path.GetFileName(stack.Frames[^1].Module)));
    }

    [Fact]
    public void What_the_emulator_needs_itself_is_not_told_as_the_programs_memory()
    {
        using var collector = Listening.Start(_folder);
        using var program = Program.Start(Command("exchange", $"NATIVEHEAP_SOCKET={collector.Socket}", "20000"));
        program.Wait().Expect(0);
        var trace = collector.TraceOf(program.Pid);
        Assert.NotEqual(0, Database.Number(trace, "SELECT count(rss_bytes) FROM timeline"));
        Assert.Equal(0, Database.Number(trace, "SELECT count(*) FROM ledger"));
    }

    /// <summary>Bytes, function and stack, with lines, of what the program allocates.</summary>
    private static List<string> StacksUpToMain(Report report) =>
    [
        .. report.Stacks.Where(stack => stack.Goes("main"))
            .Select(stack => $"{stack.Bytes} {stack.Blocks} {stack.Entry} {string.Join(" < ", FramesUpToMain(stack))}")
            .Order(StringComparer.Ordinal),
    ];

    private static IEnumerable<string> FramesUpToMain(ReportedStack stack)
    {
        var main = stack.Frames.ToList().FindIndex(frame => frame.Function == "main");
        return stack.Frames.Take(main + 1).Select(frame => $"{frame.Function}:{frame.Line}");
    }

    private static string[] Command(string target, string setting, params string[] arguments) =>
    [
        "qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", "-E", "LD_PRELOAD=" + Built.OtherProcessor("libnativeheap.so"),
        "-E", setting, Built.OtherProcessor("targets/" + target), .. arguments,
    ];

    private string ToFile(string name) => $"NATIVEHEAP_OUT_LIMIT=1GiB,NATIVEHEAP_OUT={_folder[name]}";

    private Report Convert(string name)
    {
        Program.Run(["dotnet", Built.Command, "convert", _folder[name], "-o", _folder[name + ".nheap"]]).Expect(0);
        return Listening.Read(_folder[name + ".nheap"]);
    }
}
