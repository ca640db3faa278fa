namespace NativeHeap.EndToEnd;

/// <summary>A .NET program that waits at its start for a collector which is killed by then.</summary>
public sealed class RuntimeRescueTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("die")]
    [InlineData("leave")]
    public void It_is_told_to_go_on_and_nothing_stays_behind(string collectorsWay)
    {
        var port = _folder["private/dotnet"];
        if (collectorsWay == "die")
        {
            Directory.CreateDirectory(_folder["private"]);
        }
        var outcome = Program.Run([
            Built.Supervisor, Built.StandInCollector, collectorsWay,
            "NATIVEHEAP_SOCKET=" + _folder["private/socket"], $"DOTNET_DiagnosticPorts={port},suspend",
            "--", "dotnet", Built.Command, "--version"]);

        outcome.Expect(0);
        Assert.Matches(@"^[0-9]+\.[0-9]+\.[0-9]+", outcome.Output);
        Assert.False(Directory.Exists(_folder["private"]));
    }
}
