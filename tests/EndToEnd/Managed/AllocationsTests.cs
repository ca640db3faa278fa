using System.Globalization;

namespace NativeHeap.EndToEnd.Managed;

/// <summary>
/// Every way that .NET code has to get native memory (tests/targets/dotnet-allocations): blocks and bytes are counted
/// under the method that asked for them, with file and line.
/// </summary>
public sealed class AllocationsTests : IDisposable
{
    private const int Rounds = 500; // enough for a method to be compiled again, and to be replaced

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("Release", "DOTNET_TC_CallCountingDelayMs", "0")]
    [InlineData("Release", "DOTNET_TieredCompilation", "0")]
    [InlineData("Release", "DOTNET_ReadyToRun", "0")]
    [InlineData("Debug", "DOTNET_TieredCompilation", "1")]
    public void Each_way_is_counted_under_its_method_and_line(string configuration, string setting, string value)
    {
        using var recording = Run(configuration, setting, value, "ways", Rounds.ToString(CultureInfo.InvariantCulture));
        var stacks = recording.Report.Stacks;
        foreach (var line in recording.Outcome.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var (name, blocks, bytes) = line.Split(' ') is var parts ? (parts[0], Number(parts[1]), Number(parts[2])) : default;
            var mine = stacks.Where(stack => IsRequest(stack, name)).ToList();
            Assert.Equal((name, blocks, bytes), (name, mine.Sum(stack => stack.Blocks), mine.Sum(stack => stack.Bytes)));
            foreach (var stack in mine)
            {
                AssertLine(stack, $"Allocations.Ways.{name}(", "Ways.cs", $"// {name}");
                AssertLine(stack, "Program.Main.Measured(", "Program.cs", "    way(bytes);");
                AssertLine(stack, "Program.Main(", "Program.cs", "Measured(way, bytes);");
            }
        }
    }

    [Theory]
    [InlineData("Release", "DOTNET_TC_CallCountingDelayMs", "0")]
    [InlineData("Release", "DOTNET_TieredCompilation", "0")]
    [InlineData("Debug", "DOTNET_TC_CallCountingDelayMs", "0")]
    public void Each_call_has_its_own_line_also_where_calls_share_a_statement(string configuration, string setting, string value)
    {
        const int rounds = 1000;
        using var recording = Run(configuration, setting, value, "flow", rounds.ToString(CultureInfo.InvariantCulture));
        var source = Source("Flow.cs");
        var expected = File.ReadAllLines(source).Select((text, index) => (Text: text, Line: index + 1))
            .Where(line => line.Text.Contains(" // 2", StringComparison.Ordinal))
            .ToDictionary(line => Number(line.Text[(line.Text.LastIndexOf(' ') + 1)..]), line => line.Line);
        var found = recording.ReportBy("count").Stacks
            .Where(stack => stack.Frames.Any(IsFlow) && expected.ContainsKey(stack.Bytes / stack.Blocks)) // Run ends in a tail call
            .Select(stack => (Bytes: stack.Bytes / stack.Blocks, Frame: stack.Frames.Last(IsFlow), stack.Blocks))
            .ToList();
        var wrong = found.Where(item => (item.Frame.File, item.Frame.Line) != (source, expected[item.Bytes]))
            .Select(item => $"{item.Bytes}: {item.Blocks} blocks in {item.Frame.Function} line {item.Frame.Line} and not {expected[item.Bytes]}");
        Assert.Equal("", string.Join("\n", wrong));
        Assert.Equal(expected.Keys.Order(), found.Select(item => item.Bytes).Distinct().Order());

        // The method that holds the marked lines, which is the one that Run calls.
        static bool IsFlow(ReportedFrame frame) => frame.Function?.StartsWith("Allocations.Flow.", StringComparison.Ordinal) == true
            && !Is(frame, "Allocations.Flow.Run(");
    }

    [Fact]
    public void A_librarys_memory_is_counted_under_the_method_that_used_it()
    {
        (string Method, string Module)[] uses =
        [
            ("Compress", "libSystem.IO.Compression.Native.so"), ("Encrypt", "libcrypto.so"), ("TalkTls", "libssl.so"),
            ("Collate", "libicu"), ("QuerySqlite", "libe_sqlite3.so"), ("Draw", "libSkiaSharp.so"),
        ];
        using var recording = Run("Release", "DOTNET_TieredCompilation", "1", "libraries");
        var stacks = recording.ReportBy("count").Stacks;
        foreach (var (method, module) in uses)
        {
            var name = $"Allocations.Libraries.{method}()";
            var under = stacks.Where(stack => stack.Goes(name)
                && stack.Frames.Any(frame => frame.Module?.Contains(module, StringComparison.Ordinal) == true)).ToList();
            Assert.True(under.Sum(stack => stack.Blocks) > 0, $"nothing of {module} under {name}");
            Assert.All(under, stack => Assert.True(stack.Goes("Program.Main("), stack.ToString()));
        }
        Assert.Empty(recording.Query("SELECT id FROM location WHERE kind = 'marker' AND offset = 65"));
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);

    private static string Source(string file) => Path.Combine(Built.Root, "tests/targets/dotnet-allocations", file);

    // Not what the runtime allocates in between to compile or connect the method.
    private static bool IsRequest(ReportedStack stack, string name)
    {
        var way = stack.Frames.ToList().FindIndex(frame => Is(frame, $"Allocations.Ways.{name}("));
        return way >= 0 && stack.Goes("Program.Main.Measured(")
            && !stack.Frames.Take(way).Any(frame => Path.GetFileName(frame.Module) is "libcoreclr.so" or "libclrjit.so");
    }

    private static bool Is(ReportedFrame frame, string function) =>
        frame.Function?.StartsWith(function, StringComparison.Ordinal) == true;

    private static void AssertLine(ReportedStack stack, string function, string file, string words)
    {
        var frame = Assert.Single(stack.Frames, frame => Is(frame, function));
        var line = Array.FindIndex(File.ReadAllLines(Source(file)), text => text.Contains(words, StringComparison.Ordinal)) + 1;
        Assert.Equal((Source(file), line), (frame.File, frame.Line));
    }

    private Recording Run(string configuration, string setting, string value, params string[] arguments)
    {
        string[] command =
            ["dotnet", Built.DotNetTarget("dotnet-allocations", configuration), Built.Library("allocate"), .. arguments];
        var recording = Recording.Run(
            _folder, command, new Surroundings { Environment = new Dictionary<string, string?> { [setting] = value } });
        recording.Outcome.Expect(0);
        return recording;
    }
}
