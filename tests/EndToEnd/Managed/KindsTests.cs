using System.Diagnostics;
using System.Globalization;

namespace NativeHeap.EndToEnd.Managed;

/// <summary>
/// Kinds of .NET program (tests/targets/dotnet-kinds, built and started in every way): totals are exact, stacks are whole,
/// and frames have their names, or the trace says why not.
/// </summary>
public sealed class KindsTests : IDisposable
{
    private const string Keep = "Kinds.Program.Keep()", Main = "Kinds.Program.Main(string[])";
    private const int Blocks = 3000, BlockBytes = 1003;

    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Its_own_host_with_the_server_collector()
    {
        using var recording = Run([Host], ("DOTNET_gcServer", "1"));
        AssertWhole(recording);
        AssertNamed(recording, lines: true);
    }

    [Fact]
    public void Behind_a_shell_that_waits_for_it()
    {
        using var recording = Run(["sh", "-c", "\"$@\"; exit $?", "sh", "dotnet", Assembly]);
        AssertWhole(recording);
        AssertNamedOrNoted(recording);
    }

    [Fact]
    public void By_dotnet_run()
    {
        using var recording = Run(["dotnet", "run", "--no-build", "-c", "Release", "--project", Project, "--"]);
        AssertWhole(recording);
        AssertNamedOrNoted(recording);
    }

    [Fact]
    public void Without_diagnostics_a_short_run_has_no_names_and_the_trace_says_why()
    {
        using var recording = Run(["dotnet", Assembly], ("DOTNET_EnableDiagnostics", "0"));
        AssertWhole(recording);
        Assert.Contains("DOTNET_EnableDiagnostics=0", Notes(recording), StringComparison.Ordinal);
    }

    [Fact]
    public void A_PDB_of_another_build_gives_names_without_lines_and_is_said_to_be_none_of_it()
    {
        CopyProgram();
        File.Copy(Path.ChangeExtension(Built.DotNetTarget("dotnet-lines"), ".pdb"), _folder["dotnet-kinds.pdb"]);
        using var recording = Run(["dotnet", _folder["dotnet-kinds.dll"]]);
        AssertWhole(recording);
        AssertNamed(recording, lines: false);
        Assert.Contains(recording.Outcome.Said, line => line.Contains("dotnet-kinds.pdb is not the PDB of", StringComparison.Ordinal));
    }

    [Fact]
    [Trait("repeated", "yes")]
    public void Killed_at_any_moment_while_its_code_is_being_told_its_trace_is_whole()
    {
        var random = Seed.Next();
        for (var time = 0; time < Math.Max(2, Seed.Times / 10); time++)
        {
            var pid = _folder[$"pid{time}"];
            using var recording = Recording.Start(
                _folder, ["sh", "-c", "\"$@\"; exit $?", "sh", "dotnet", Assembly, "100", pid]);
            var clock = Stopwatch.StartNew();
            while (!File.Exists(pid))
            {
                Assert.True(clock.Elapsed < s_patience && !recording.HasEnded, "it does not begin");
                Thread.Sleep(1);
            }
            Thread.Sleep(random.Next(300)); // the random moment
            Signals.Send(int.Parse(File.ReadAllText(pid), CultureInfo.InvariantCulture), Signals.Kill);
            recording.Outcome.Expect(128 + Signals.Kill);
            Assert.True(recording.Report.Complete);
            Assert.Equal(0, recording.Report.LostEvents);
            Assert.Empty(recording.Query("SELECT id FROM location WHERE kind = 'marker' AND offset = 65"));
        }
    }

    [Fact(Explicit = true)]
    public void Self_contained()
    {
        using var recording = Run([Publish("--self-contained")]);
        AssertWhole(recording);
        AssertNamed(recording, lines: true);
    }

    [Theory(Explicit = true)]
    [InlineData("net8.0")]
    [InlineData("net9.0")]
    public void Of_an_older_runtime(string framework)
    {
        using var recording = Run([PublishFor(framework, "--self-contained")]);
        AssertWhole(recording);
        AssertNamed(recording, lines: true);
    }

    [Theory(Explicit = true)]
    [InlineData("--self-contained")]
    [InlineData("--no-self-contained")]
    public void A_single_file(string kind)
    {
        using var recording = Run([Publish(kind, "-p:PublishSingleFile=true")]);
        AssertWhole(recording);
        AssertNamedOrNoted(recording);
    }

    [Fact(Explicit = true)]
    public void Compiled_ahead_of_time_its_stacks_are_native()
    {
        using var recording = Run([Publish("-p:PublishAot=true")]);
        AssertWhole(recording);
        Assert.Equal(0, NamedWeight.Of(recording).All);
        Assert.All(Kept(recording), stack => Assert.Contains(
            stack.Frames, frame => frame.Function?.Contains("Kinds_Program__Keep", StringComparison.Ordinal) == true));
    }

    [Fact(Explicit = true)]
    public void By_dotnet_test()
    {
        const string name = "Wire.Tests";
        using var recording = Recording.Run(
            _folder, ["dotnet", "test", "--no-build", "-c", "Release", "--project", Path.Combine(Built.Root, "tests", name)]);
        recording.Outcome.Expect(0);
        Assert.True(recording.Report.Complete);
        Assert.Equal(0, recording.Report.LostEvents);
        AssertNamedOrNoted(recording);
    }

    private static string Assembly => Built.DotNetTarget("dotnet-kinds");

    private static string Host => Path.ChangeExtension(Assembly, null);

    private static string Project => Path.Combine(Built.Root, "tests/targets/dotnet-kinds");

    // Lines are those of the source: what is done with the result stands on the line of the call.
    private static int KeepLine =>
        Array.FindIndex(File.ReadAllLines(Path.Combine(Project, "Program.cs")), line => line.EndsWith("// Keep", StringComparison.Ordinal)) + 1;

    private Recording Run(IReadOnlyList<string> command, params (string Name, string Value)[] environment)
    {
        var recording = Recording.Run(
            _folder,
            [.. command, Blocks.ToString(CultureInfo.InvariantCulture)],
            new Surroundings { Environment = environment.ToDictionary(pair => pair.Name, pair => (string?)pair.Value) });
        recording.Outcome.Expect(0);
        return recording;
    }

    private static IEnumerable<ReportedStack> Kept(Recording recording) =>
        recording.Report.Stacks.Where(stack => stack.Bytes == stack.Blocks * BlockBytes);

    private static void AssertWhole(Recording recording)
    {
        Assert.Equal($"{Blocks} {Blocks * BlockBytes}", recording.Outcome.Output.Trim());
        Assert.True(recording.Report.Complete);
        Assert.Equal(0, recording.Report.LostEvents);
        Assert.Equal(Blocks, Kept(recording).Sum(stack => stack.Blocks));
        Assert.Empty(recording.Query("SELECT id FROM location WHERE kind = 'marker' AND offset = 65")); // stacks that ended early
    }

    private static void AssertNamed(Recording recording, bool lines)
    {
        var weight = NamedWeight.Of(recording);
        Assert.True(weight.IsEnough, $"{weight}; {Notes(recording)}");
        foreach (var stack in Kept(recording))
        {
            var frame = Assert.Single(stack.Frames, frame => frame.Function == Keep);
            Assert.Equal(lines ? KeepLine : (int?)null, frame.Line);
            Assert.True(stack.Goes(Main) || stack.Goes("Kinds.Program.Main(string[]).") || stack.Goes("Kinds.Program.Main."), stack.ToString());
        }
    }

    // What names are missing, that is said; the weight that has names is in the test's output.
    private static void AssertNamedOrNoted(Recording recording)
    {
        var weight = NamedWeight.Of(recording);
        TestContext.Current.TestOutputHelper?.WriteLine($"named by weight: {weight.Named} of {weight.All}; {Notes(recording)}");
        Assert.True(weight.IsEnough || Notes(recording).Length > 0, $"{weight} and not a word of it");
    }

    private static string Notes(Recording recording) =>
        string.Join("\n", recording.Query("SELECT note FROM process WHERE note IS NOT NULL").Select(row => row[0]));

    private void CopyProgram()
    {
        foreach (var end in new[] { ".dll", ".runtimeconfig.json", ".deps.json" })
        {
            File.Copy(Path.ChangeExtension(Assembly, null) + end, _folder["dotnet-kinds" + end]);
        }
    }

    private string Publish(params string[] options) => PublishFor("net10.0", options);

    // A copy of the project, so that nothing else is built in its folders meanwhile.
    private string PublishFor(string framework, params string[] options)
    {
        var source = Path.Combine(Project, "Program.cs");
        _folder.Write("kinds/kinds.csproj", $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <OutputType>Exe</OutputType><TargetFramework>{framework}</TargetFramework><Nullable>enable</Nullable><ImplicitUsings>enable</ImplicitUsings>
                <AllowUnsafeBlocks>true</AllowUnsafeBlocks><RuntimeIdentifier>linux-x64</RuntimeIdentifier>
              </PropertyGroup>
              <ItemGroup><Compile Include="{source}" /></ItemGroup>
            </Project>
            """);
        Program.Run(
            ["dotnet", "publish", _folder["kinds"], "-c", "Release", "-v", "quiet", "--disable-build-servers", "-o", _folder["published"], .. options])
            .Expect(0);
        return _folder["published/kinds"];
    }
}
