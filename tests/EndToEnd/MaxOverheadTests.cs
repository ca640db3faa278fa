using System.Globalization;

namespace NativeHeap.EndToEnd;

/// <summary><c>--max-overhead</c>: births are sampled from the moment on at which recording all of them would cost too much.</summary>
public sealed class MaxOverheadTests : IDisposable
{
    private const string Rows = "SELECT count(*) FROM sampling";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_tight_loop_is_sampled_and_stays_so_and_a_program_that_computes_is_not()
    {
        var done = _folder["done"];
        using var collector = Listening.Start(_folder, null, "--max-overhead", "20%");
        using var program = Program.Start([Built.Target("switched"), done], collector.Around with { KeepInput = true });
        program.Step('a', done);
        program.Step('w', done);
        Assert.Equal(0, collector.Number(program.Pid, Rows));
        program.Step('p', done); // two seconds of it
        collector.Await(() => collector.Number(program.Pid, Rows) == 1, "it is not sampled");
        program.Step('w', done);
        program.Step('p', done);
        program.Step('b', done);
        program.EndInput();
        program.Wait().Expect(0);

        var trace = collector.TraceOf(program.Pid);
        Assert.Equal("524288 overhead", Assert.Single(Database.Read(trace, "SELECT sample_bytes || ' ' || reason FROM sampling"))[0]);
        Assert.Matches(
            @"^samples were recorded, one in 524288 bytes on average, from \d+\.\d{3} s, to bound the overhead$",
            (string)Database.Read(trace, "SELECT note FROM process")[0][0]!);
        Assert.False(Listening.Read(trace).Exact);
        Assert.Equal((1000, 700), (BlocksOf(trace, "count"), BlocksOf(trace, "live")));
        var said = Assert.Single(collector.End().Expect(0).Said, line => line.Contains("every call would add", StringComparison.Ordinal));
        Assert.Matches(@"would add about \d+ % (or more )?to the CPU time of process " + program.Pid + @", and 20 % is allowed: samples are recorded from now on, one in 512 KiB on average", said);
    }

    [Fact]
    public void Who_asks_for_every_call_gets_it()
    {
        var done = _folder["done"];
        using var collector = Listening.Start(_folder, null, "--max-overhead", "1%");
        using var program = Program.Start([Built.Target("switched"), done], collector.Around with { KeepInput = true });
        program.Step('p', done);
        collector.Await(() => collector.Number(program.Pid, Rows) == 1, "it is not sampled");
        Program.Run(["dotnet", Built.Command, "sample", "-p", $"{program.Pid}", "exact"]).Expect(0);
        program.Step('p', done);
        program.Step('p', done);
        program.EndInput();
        program.Wait().Expect(0);

        Assert.Equal(
            ["524288 overhead", "0 asked"],
            Database.Read(collector.TraceOf(program.Pid), "SELECT sample_bytes || ' ' || reason FROM sampling ORDER BY time_ns").Select(row => row[0]));
    }

    [Fact]
    public void A_limit_and_a_rate_are_not_asked_for_at_once()
    {
        string[] command = ["dotnet", Built.Command, "run", "--max-overhead", "5%", "--sample", "64KiB", "--", "true"];
        Assert.Contains("give one of them", Program.Run(command).Expect(2).Errors, StringComparison.Ordinal);
    }

    private static int BlocksOf(string trace, string measure)
    {
        string[] command = ["dotnet", Built.Command, "sql", trace, "--csv",
            "SELECT sum(" + (measure == "live" ? "allocations - frees" : "allocations")
            + ") FROM stack_total WHERE stack_id IN (WITH RECURSIVE down(id) AS (SELECT stack.id FROM stack JOIN frame USING (location_id) "
            + "JOIN string ON string.id = function_id WHERE text LIKE 'step_a%' UNION SELECT stack.id FROM stack JOIN down ON parent_id = down.id) SELECT id FROM down)"];
        return int.Parse(Program.Run(command).Expect(0).Output.Split('\n')[1], CultureInfo.InvariantCulture);
    }
}
