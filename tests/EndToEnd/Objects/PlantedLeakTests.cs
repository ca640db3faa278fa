using System.Diagnostics;
using System.Text.Json;

namespace NativeHeap.EndToEnd.Objects;

/// <summary>The walk of docs/guide.md: a web service (tests/targets/dotnet-web) that remembers something of each request,
/// found by two commands while it serves.</summary>
public sealed class PlantedLeakTests : IDisposable
{
    private const string Receipt = "NativeHeap.Targets.Receipt";
    private const int Before = 40, Between = 300;

    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    private readonly TempFolder _folder = new();
    private readonly Process _service;

    public PlantedLeakTests()
    {
        var start = new ProcessStartInfo(
            Built.Supervisor,
            [
                "dotnet", Built.Command, "run", "-o", TracePath, "--", "dotnet", Built.DotNetTarget("dotnet-web"),
                "--urls", $"http://unix:{Socket}",
            ])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        _service = Process.Start(start)!;
        _service.ErrorDataReceived += (_, _) => { };
        _service.BeginErrorReadLine();
    }

    private string TracePath => _folder["web.nheap"];

    private string Socket => _folder["web.sock"];

    public void Dispose()
    {
        _service.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Growth_and_holders_find_what_each_request_leaves_behind()
    {
        var pid = _service.StandardOutput.ReadLine()!.Split(' ')[1];
        Request($"orders/[1-{Before}]");
        Ask("snapshot", "-p", pid, "--name", "before");
        Request($"orders/[1-{Between}]");
        Request("collect");

        using var growth = JsonDocument.Parse(Ask("objects", "-p", pid, "--growth", "--json").Output);
        var grown = growth.RootElement.GetProperty("types").EnumerateArray()
            .Single(type => type.GetProperty("type").GetString() == Receipt);
        Assert.Equal(
            (Before + Between, Between), (grown.GetProperty("count").GetInt32(), grown.GetProperty("delta_count").GetInt32()));

        using var holders = JsonDocument.Parse(Ask("refs", "-p", pid, "--type", Receipt, "--json").Output);
        var chain = holders.RootElement.GetProperty("chains")[0];
        Assert.Equal("NativeHeap.Targets.OrderDesk.s_printed", chain.GetProperty("root").GetProperty("name").GetString());
        var links = chain.GetProperty("links").EnumerateArray().Select(link => link.GetProperty("via").GetString()).ToList();
        Assert.Equal([null, "_entries"], links[..2]);
        Assert.Matches(@"^\[\d+\]\.value$", links[2]);

        // Nothing of it is lost: a static field holds it. The server collector's tables are shown to nobody in whole.
        // What the runtime itself loses while it compiles in the background is not judged.
        var report = _folder["check.json"];
        Program.Run(["dotnet", Built.Command, "check", "-p", pid, "--json", report, "--error-exitcode", "0"]).Expect(0);
        using var check = JsonDocument.Parse(File.ReadAllText(report));
        Assert.True(check.RootElement.GetProperty("summary").GetProperty("reachable").GetProperty("bytes").GetInt64() > 0);
        Assert.DoesNotContain(check.RootElement.GetProperty("leaks").EnumerateArray(), IsOfReceipts);

        _service.StandardInput.Close();
        Assert.Equal($"{Before + Between} receipts", _service.StandardOutput.ReadToEnd().TrimEnd());
        Assert.True(_service.WaitForExit(s_patience));
        AssertCollections();
    }

    // Its collector was asked to work once at least, with the heap as a series beside it.
    private void AssertCollections()
    {
        using var report = JsonDocument.Parse(Ask("report", TracePath, "--json").Output);
        var ledger = report.RootElement.GetProperty("ledger");
        var gc = ledger.GetProperty("gc");
        Assert.True(gc.GetProperty("pauses").GetInt32() > 0);
        Assert.InRange(gc.GetProperty("longest_pause_ns").GetInt64(), 1, gc.GetProperty("pause_ns").GetInt64());
        Assert.InRange(gc.GetProperty("used_bytes").GetInt64(), 1, gc.GetProperty("committed_bytes").GetInt64());
        var rss = ledger.GetProperty("rss_bytes").GetInt64();
        Assert.InRange(Math.Abs(ledger.GetProperty("unexplained_bytes").GetInt64()), 0, rss / 20);
        Ask("plot", TracePath, "--kind", "ledger", "-o", _folder["ledger.svg"]);
        Assert.Contains("GC pause", File.ReadAllText(_folder["ledger.svg"]), StringComparison.Ordinal);
    }

    private static bool IsOfReceipts(JsonElement leak) =>
        leak.GetProperty("kind").GetString() != "reachable"
        && leak.GetProperty("frames").EnumerateArray()
            .Any(frame => frame.GetProperty("function").GetString()?.Contains("Receipt.Print", StringComparison.Ordinal) == true);

    private void Request(string path) => Program.Run(
        ["curl", "-sf", "--unix-socket", Socket, $"http://localhost/{path}"]).Expect(0);

    private static Outcome Ask(params string[] arguments) =>
        Program.Run(["dotnet", Built.Command, .. arguments]).Expect(0);
}
