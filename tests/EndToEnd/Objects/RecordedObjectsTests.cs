using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace NativeHeap.EndToEnd.Objects;

/// <summary>Objects of a .NET program that is being recorded (tests/targets/dotnet-objects), and what its snapshots keep.
/// </summary>
public sealed class RecordedObjectsTests : IDisposable
{
    private const string Item = "NativeHeap.Targets.Item";
    private const string Buffer = "NativeHeap.Targets.Buffer";

    private readonly TempFolder _folder = new();
    private readonly Process _target;
    private readonly List<(string Kind, ulong Address)> _said = [];

    public RecordedObjectsTests()
    {
        var start = new ProcessStartInfo(
            Built.Supervisor,
            ["dotnet", Built.Command, "run", "-o", TracePath, "--", "dotnet", Built.DotNetTarget("dotnet-objects"), "500"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        _target = Process.Start(start)!;
        _target.ErrorDataReceived += (_, _) => { };
        _target.BeginErrorReadLine();
        Pid = ReadUntil("ready")[1];
    }

    private string TracePath => _folder["trace.nheap"];

    private string Pid { get; }

    public void Dispose()
    {
        _target.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Growth_and_holders_are_told_while_it_runs_and_the_program_goes_on()
    {
        Ask("snapshot", "-p", Pid, "--name", "before");
        Grow();
        Ask("snapshot", "-p", Pid, "--name", "after");

        using (var growth = Json("objects", $"{TracePath}@after", $"--growth={TracePath}@before"))
        {
            Assert.Equal((1500, 1000), CountOf(growth, Item));
            Assert.Equal((110, 10), CountOf(growth, Buffer));
        }

        using (var diff = Json("diff", $"{TracePath}@before", $"{TracePath}@after", "--group", "type"))
        {
            var types = diff.RootElement.GetProperty("types").EnumerateArray().ToDictionary(
                type => type.GetProperty("name").GetString()!, type => type.GetProperty("delta_blocks").GetInt64());
            Assert.Equal((1000, 10), (types[Item], types[Buffer]));
        }

        Grow();
        using (var since = Json("objects", "-p", Pid, "--growth"))
        {
            Assert.Equal((2500, 1000), CountOf(since, Item));
            Assert.Equal((120, 10), CountOf(since, Buffer));
        }

        AssertHolders();
        AssertWaysWithoutGraphviz();
        AssertConditions();
        AssertNamed();
        _target.StandardInput.Close();
        Assert.Equal("120 50 10 3", _target.StandardOutput.ReadToEnd().TrimEnd());
        Assert.True(_target.WaitForExit(TimeSpan.FromMinutes(1)));
        Assert.Equal(0, _target.ExitCode);
        using var kept = Json("objects", $"{TracePath}@after");
        Assert.Equal((1500, (long?)null), CountOf(kept, Item));
        using var byStack = Json("refs", $"{TracePath}@after", "--stack", "Program.Grow(");
        Assert.InRange(byStack.RootElement.GetProperty("target").GetProperty("bytes").GetInt64(), 1006, 1 << 20);
    }

    // The block's requested size and its stack are the recording's.
    private void AssertHolders()
    {
        var block = _said.First(said => said.Kind == "handle").Address;
        var drawing = _folder["chain.svg"];
        using var answer = Json("refs", "-p", Pid, Hex(block), "-o", drawing);
        var target = answer.RootElement.GetProperty("target");
        Assert.Equal((Hex(block), 1001), (target.GetProperty("address").GetString(), target.GetProperty("bytes").GetInt64()));
        Assert.Contains(target.GetProperty("frames").EnumerateArray(), frame =>
            frame.GetProperty("function").GetString()?.Contains("Program.Allocate(", StringComparison.Ordinal) == true);
        var chain = Assert.Single(answer.RootElement.GetProperty("chains").EnumerateArray());
        Assert.Equal("static field", chain.GetProperty("root").GetProperty("kind").GetString());
        Assert.Equal("NativeHeap.Targets.Program.Handles", chain.GetProperty("root").GetProperty("name").GetString());
        Assert.Equal("handle", chain.GetProperty("links").EnumerateArray().Last().GetProperty("via").GetString());
        var svg = File.ReadAllText(drawing);
        Assert.Contains("_entries", svg, StringComparison.Ordinal);
        Assert.Contains(Hex(block), svg, StringComparison.Ordinal);

        using var byStack = Json("refs", "-p", Pid, "--stack", "Program.HoldByHandle");
        Assert.Contains(byStack.RootElement.GetProperty("target").GetProperty("frames").EnumerateArray(), frame =>
            frame.GetProperty("function").GetString()?.Contains("Program.HoldByHandle", StringComparison.Ordinal) == true);
        Assert.Single(byStack.RootElement.GetProperty("chains").EnumerateArray());

        var lost = _said.First(said => said.Kind == "lost").Address;
        using var nobody = Json("refs", "-p", Pid, Hex(lost));
        Assert.Empty(nobody.RootElement.GetProperty("chains").EnumerateArray());
    }

    private void AssertWaysWithoutGraphviz()
    {
        var drawing = _folder["ways.svg"];
        var host = Environment.GetEnvironmentVariable("PATH")!.Split(':').Select(folder => Path.Combine(folder, "dotnet")).First(File.Exists);
        Directory.CreateDirectory(_folder["bin"]);
        File.CreateSymbolicLink(Path.Combine(_folder["bin"], "dotnet"), host);
        var without = new Surroundings { Environment = new Dictionary<string, string?> { ["PATH"] = _folder["bin"] } };
        var outcome = Program.Run([host, Built.Command, "refs", "-p", Pid, "--type", "System.String", "--all", "6", "-o", drawing], without).Expect(0);
        Assert.StartsWith("System.String 0x", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("1. static field ", outcome.Output, StringComparison.Ordinal);
        Assert.Contains(outcome.Output.Split(' ')[1], File.ReadAllText(drawing), StringComparison.Ordinal);
    }

    private void AssertConditions()
    {
        using var disposed = Json("objects", "-p", Pid, "--disposed", "--type", "NativeHeap.Targets.Session");
        Assert.Equal(5, disposed.RootElement.GetProperty("instances").GetArrayLength());
        using var open = Json("objects", "-p", Pid, "--where", "_disposed == false");
        Assert.Equal(3, CountOf(open, "NativeHeap.Targets.Session").Count);
    }

    // The trace has no names of compiled code before it is closed; whoever asks earlier has them from the runtime.
    private void AssertNamed()
    {
        var check = CheckRun.Now(_folder, int.Parse(Pid, CultureInfo.InvariantCulture)).Check;
        Assert.Equal((20 * 1006L, 20L), check.Of("Program.Grow(", 1006)["reachable"]);
        Assert.Contains("Program.Allocate(", Ask("top", "-p", Pid).Output, StringComparison.Ordinal);
    }

    private static (long Count, long? Delta) CountOf(JsonDocument counts, string type)
    {
        var row = counts.RootElement.GetProperty("types").EnumerateArray()
            .Single(row => row.GetProperty("type").GetString() == type);
        Assert.Equal("managed", row.GetProperty("kind").GetString());
        var delta = row.GetProperty("delta_count");
        return (row.GetProperty("count").GetInt64(), delta.ValueKind == JsonValueKind.Null ? null : delta.GetInt64());
    }

    private static string Hex(ulong address) => string.Create(CultureInfo.InvariantCulture, $"0x{address:x}");

    private static Outcome Ask(params string[] arguments) =>
        Program.Run(["dotnet", Built.Command, .. arguments]).Expect(0);

    private static JsonDocument Json(params string[] arguments) => JsonDocument.Parse(Ask([.. arguments, "--json"]).Output);

    private void Grow()
    {
        _target.StandardInput.Write("\n");
        _target.StandardInput.Flush();
        ReadUntil("grown\n");
    }

    // A line that begins so, or is so; blocks on the way are remembered.
    private string[] ReadUntil(string word)
    {
        while (_target.StandardOutput.ReadLine() is { } line)
        {
            if (line == word.TrimEnd('\n') || (line.Split(' ')[0] == word))
            {
                return line.Split(' ');
            }

            if (line.Split(' ') is [var kind, var address])
            {
                _said.Add((kind, ~ulong.Parse(address, NumberStyles.HexNumber, CultureInfo.InvariantCulture)));
            }
        }

        Assert.Fail($"it ended without saying {word}");
        return [];
    }
}
