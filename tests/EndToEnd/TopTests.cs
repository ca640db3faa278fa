namespace NativeHeap.EndToEnd;

/// <summary><c>top</c>, where it is not in a terminal.</summary>
public sealed class TopTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void It_shows_what_is_live_now_with_the_names_of_functions_and_lists_who_is_recorded()
    {
        using var collector = Listening.Start(_folder);
        var done = _folder["done"];
        using var program = Program.Start([Built.Target("stepwise"), done], collector.Around with { KeepInput = true });
        program.Step('a', done);
        // A snapshot returns when all that was done before can be read.
        Program.Run(["dotnet", Built.Command, "snapshot", "-p", $"{program.Pid}"]).Expect(0);

        var screen = Top("-p", $"{program.Pid}").Expect(0).Output.Split('\n');
        Assert.StartsWith($"stepwise {program.Pid} ", screen[0], StringComparison.Ordinal);
        Assert.StartsWith("live 97.7 KiB in 100 blocks ", screen[1], StringComparison.Ordinal);
        Assert.Matches("^ *97.7 KiB +100   step_a < main", screen[6]);
        Assert.Contains(Top().Expect(0).Output.Split('\n'), line => line.TrimStart().StartsWith($"{program.Pid} ", StringComparison.Ordinal)
            && line.EndsWith(".nheap", StringComparison.Ordinal));

        program.EndInput();
        program.Wait().Expect(0);
        collector.End().Expect(0);
        Assert.Contains("not being recorded", Assert.Single(Top("-p", $"{Environment.ProcessId}").Expect(3).Said), StringComparison.Ordinal);
    }

    private static Outcome Top(params string[] arguments) => Program.Run(["dotnet", Built.Command, "top", .. arguments]);
}
