using NativeHeap.Memory.Proc;
using NativeHeap.Testing;

namespace NativeHeap.Managed.Tests;

public sealed class SessionTests
{
    private const int EntryBytes = 24; // FixupPrecode of dotnet/runtime

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public void A_runtime_that_waited_for_us_has_every_address_named_as_its_author_named_it()
    {
        using var folder = new TempFolder();
        using var session = ManagedSession.Listen(folder["port"]);
        using var program = Start(folder, "once");
        Assert.Null(program.Read());
        session.Finish(Patience);

        Assert.Empty(session.Notes);
        Assert.Equal(program.Pid, session.Pid);
        Assert.Equal(220, program.Claims.Count);
        var wrong = Differences(session.Code, program.Claims, out var stubs);
        Assert.Equal("", string.Join("\n", wrong));
        Assert.InRange(stubs, 0, 8); // calls from generic code and from within try blocks go by a stub
    }

    [Fact]
    public void Addresses_that_were_one_method_after_the_other_are_each_what_they_were_then()
    {
        using var folder = new TempFolder();
        using var session = ManagedSession.Listen(folder["port"]);
        using var program = Start(folder, "once");
        Assert.Null(program.Read());
        session.Finish(Patience);

        var reused = program.Claims.GroupBy(claim => claim.Address)
            .Where(group => group.Select(claim => claim.Name).Distinct().Count() > 1 && group.First().Name.StartsWith("Emitted", StringComparison.Ordinal))
            .SelectMany(group => group)
            .ToList();
        Assert.NotEmpty(reused);
        Assert.Equal("", string.Join("\n", Differences(session.Code, reused, out _)));
    }

    [Fact]
    public void A_runtime_that_runs_already_tells_what_it_had_compiled_before()
    {
        using var program = new NamesProgram("wait", ("DOTNET_TieredCompilation", "0"));
        Assert.Equal("ready", program.Read());
        using var session = ManagedSession.Attach(program.Pid);
        Assert.True(SpinWait.SpinUntil(() => session.IsConnected || session.IsOver, Patience));
        program.GoOn();
        Assert.Null(program.Read());
        session.Finish(Patience);

        Assert.Empty(session.Notes);
        Assert.Equal("", string.Join("\n", Differences(session.Code, program.Claims.Where(claim => claim.Line != 0), out _)));
    }

    [Fact]
    public void A_killed_runtime_leaves_what_it_had_told()
    {
        using var folder = new TempFolder();
        using var session = ManagedSession.Listen(folder["port"]);
        using var program = Start(folder, "forever");
        Assert.Null(program.Read(400));
        Assert.True(SpinWait.SpinUntil(() => session.Code.Find(program.Claims[0].Address - 1, program.Claims[0].TimeNs) is not null, Patience));
        program.Kill();
        session.Finish(Patience);

        Assert.True(session.IsOver);
        Assert.Equal("", string.Join("\n", Differences(session.Code, [program.Claims[0]], out _)));
    }

    [Fact]
    public void A_process_that_is_gone_costs_a_note()
    {
        int pid;
        using (var program = new NamesProgram("once"))
        {
            pid = program.Pid;
        }

        using var session = ManagedSession.Attach(pid);
        Assert.True(SpinWait.SpinUntil(() => session.IsOver, Patience));
        Assert.Contains("no diagnostic port", Assert.Single(session.Notes), StringComparison.Ordinal);
        Assert.Equal(0, session.Code.Count);
    }

    [Fact]
    public void Nobody_waits_for_a_runtime_that_never_comes()
    {
        using var folder = new TempFolder();
        using var session = ManagedSession.Listen(folder["port"]);
        Assert.True(File.Exists(folder["port"]));
        session.Finish(Patience);
        Assert.True(session.IsOver);
        Assert.False(session.IsConnected);
    }

    [Fact]
    public void Children_get_the_ports_that_the_user_had()
    {
        using var folder = new TempFolder();
        using var session = ManagedSession.Listen(folder["port"], () => "/nowhere/port,nosuspend");
        using var program = Start(folder, "child");
        Assert.Equal("DOTNET_DiagnosticPorts=/nowhere/port,nosuspend", program.Read());
    }

    [Fact]
    public void A_preparation_that_fails_does_not_keep_the_runtime_waiting()
    {
        using var folder = new TempFolder();
        using var session = ManagedSession.Listen(folder["port"], null, () => throw new InvalidOperationException("no"));
        using var program = Start(folder, "once");
        Assert.Null(program.Read());
        session.Finish(Patience);
        Assert.Contains("(no)", Assert.Single(session.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void A_mute_runtime_is_named_by_its_memory_and_never_stopped()
    {
        using var program = new NamesProgram("wait", ("DOTNET_EnableDiagnostics", "0"), ("DOTNET_TieredCompilation", "0"));
        Assert.Equal("ready", program.Read());
        var map = new CodeMap();
        using var lookup = new RuntimeLookup(program.Pid, map);
        lookup.Find(program.Claims.Select(claim => claim.Address));
        Assert.Null(lookup.Problem);
        Assert.Equal("", string.Join("\n", Differences(map, program.Claims, out _, lines: false)));
    }

    [Fact]
    public void Entries_of_methods_to_which_no_call_returns_are_not_asked_for()
    {
        using var program = new NamesProgram("wait", ("DOTNET_EnableDiagnostics", "0"));
        Assert.Equal("ready", program.Read());
        var small = new ProcessReader(program.Pid).ReadMappings()!.Where(mapping => mapping is { IsExecutable: true, Size: 16 * 1024 }).ToList();
        Assert.NotEmpty(small);
        var map = new CodeMap();
        using var lookup = new RuntimeLookup(program.Pid, map);
        var entries = small.SelectMany(mapping => Enumerable.Range(0, (int)mapping.Size / EntryBytes)
            .Select(i => mapping.Start + (ulong)(i * EntryBytes) + 1));
        Assert.True(lookup.Find(entries), lookup.Problem);
        Assert.Equal(0, map.Count);
    }

    [Fact]
    public void A_mute_runtime_without_its_debugging_library_has_no_names_until_it_is_there()
    {
        using var folder = new TempFolder();
        var library = CopyRuntimeWithoutDebuggingLibrary(folder["root"]);
        using var program = new NamesProgram(
            "wait", ("DOTNET_EnableDiagnostics", "0"), ("DOTNET_TieredCompilation", "0"), ("DOTNET_ROOT", folder["root"]));
        Assert.Equal("ready", program.Read());
        var map = new CodeMap();
        using var lookup = new RuntimeLookup(program.Pid, map);
        var addresses = program.Claims.Select(claim => claim.Address).ToList();
        Assert.False(lookup.Find(addresses));
        Assert.Contains($"{Path.GetFileName(library)} is missing", lookup.Problem, StringComparison.Ordinal);
        Assert.Equal(0, map.Count);

        File.CreateSymbolicLink(Path.Combine(folder["root"], "shared", Framework, Path.GetFileName(library)), library);
        Assert.True(lookup.Find(addresses));
        Assert.Null(lookup.Problem);
        Assert.Equal("", string.Join("\n", Differences(map, program.Claims, out _, lines: false)));
    }

    [Fact]
    public void Events_that_are_damaged_on_their_way_cost_a_note_and_the_program_goes_on()
    {
        using var folder = new TempFolder();
        using var session = ManagedSession.Listen(folder["session"]);
        using var relay = new PortRelay(folder["port"], folder["session"], damageFrom: 30_000);
        using var program = Start(folder, "once");
        Assert.Null(program.Read());
        session.Finish(Patience);

        Assert.Equal(220, program.Claims.Count);
        Assert.NotEqual(0, relay.Damaged);
        Assert.True(session.IsOver);
        Assert.NotEqual(0, session.Code.Count);
        Assert.Contains(session.Notes, note => note.Contains("methods", StringComparison.Ordinal));
    }

    [Fact]
    public void A_runtime_killed_while_it_tells_what_it_had_compiled_leaves_what_it_had_told()
    {
        using var program = new NamesProgram("wait", ("DOTNET_TieredCompilation", "0"));
        Assert.Equal("ready", program.Read());
        using var session = ManagedSession.Attach(program.Pid);
        Assert.True(SpinWait.SpinUntil(() => session.Code.Count > 0 || session.IsOver, Patience));
        program.Kill();
        session.Finish(Patience);

        Assert.True(session.IsOver);
        Assert.NotEqual(0, session.Code.Count);
    }

    private static string Framework { get; } = Path.Combine("Microsoft.NETCore.App", Environment.Version.ToString(3));

    // Links, but for what the process maps itself: a mapping's name is the real file's. Returns the library's real path.
    private static string CopyRuntimeWithoutDebuggingLibrary(string root)
    {
        const string library = "libmscordaccore.so";
        var real = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        var copy = Path.Combine(root, "shared", Framework);
        Directory.CreateDirectory(copy);
        foreach (var file in Directory.EnumerateFiles(real))
        {
            var target = Path.Combine(copy, Path.GetFileName(file));
            if (Path.GetFileName(file) == "libcoreclr.so")
            {
                File.Copy(file, target);
            }
            else if (Path.GetFileName(file) != library)
            {
                File.CreateSymbolicLink(target, file);
            }
        }

        Directory.CreateSymbolicLink(Path.Combine(root, "host"), Path.GetFullPath(Path.Combine(real, "../../../host")));
        return Path.Combine(real, library);
    }

    private static NamesProgram Start(TempFolder folder, string argument) => new(
        argument,
        ("DOTNET_DiagnosticPorts", folder["port"] + ",suspend"),
        ("DOTNET_TieredCompilation", "0"));

    private static List<string> Differences(CodeMap map, IEnumerable<Claim> claims, out int stubs, bool lines = true)
    {
        using var namer = new MethodNamer();
        var wrong = new List<string>();
        stubs = 0;
        foreach (var claim in claims)
        {
            var named = map.Find(claim.Address - 1, claim.TimeNs) is { } code ? namer.Name(map, code, claim.Address) : null;
            if (named?.Function.StartsWith("IL_STUB_PInvoke(", StringComparison.Ordinal) == true)
            {
                stubs++;
                continue;
            }

            var line = lines ? claim.Line : 0;
            if (named?.Function != claim.Name || (line != 0 && (named.Line != line
                || Path.GetFileName(named.File) != "Program.cs")))
            {
                wrong.Add($"{claim}: {named?.Function} {named?.File}:{named?.Line}");
            }
        }

        return wrong;
    }
}
