using System.Diagnostics;
using System.Globalization;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Graph.Tests.Objects;

/// <summary>tests/targets/dotnet-objects, which says where its blocks are and waits until this is disposed.</summary>
public sealed class ObjectsProgram : IDisposable
{
    private const long SysRead = 0;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Process _process;
    private readonly List<(string Kind, ulong Address)> _said = [];

    internal ObjectsProgram(int items, bool hasServerCollector = false, int? abandoned = null)
    {
        // Not a child of ours: the framework asks for news of its children, and would take the tracer's. One tier: what is
        // compiled in the background allocates when nobody expects it.
        var start = new ProcessStartInfo("/bin/sh", ["-c", "dotnet \"$0\" $1; :", Program, string.Create(CultureInfo.InvariantCulture, $"{items} {abandoned}")])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("DOTNET_", StringComparison.Ordinal) && name != "DOTNET_ROOT").ToList())
        {
            start.Environment.Remove(name);
        }

        start.Environment["DOTNET_TieredCompilation"] = "0";
        start.Environment["DOTNET_gcServer"] = hasServerCollector ? "1" : "0";
        // malloc overwrites what it gives out and what is freed: the runtime does not clear its own blocks, and left-overs in
        // them could point to any of the program's. Its compiler's pages stay, full of pointers to each other: they are not
        // to lie where the program's blocks come to lie when they are freed.
        start.Environment["GLIBC_TUNABLES"] =
            "glibc.malloc.perturb=165:glibc.malloc.tcache_count=0:glibc.malloc.mmap_threshold=32768";
        _process = Process.Start(start)!;
        while (_process.StandardOutput.ReadLine() is { } line)
        {
            var words = line.Split(' ');
            if (words[0] == "ready")
            {
                Pid = int.Parse(words[1], CultureInfo.InvariantCulture);
                break;
            }

            _said.Add((words[0], ~ulong.Parse(words[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture)));
        }

        Assert.True(SpinWait.SpinUntil(() => new ProcessReader(Pid).ReadSystemCall(Pid) == SysRead, Patience), "it does not wait");
    }

    internal int Pid { get; }

    internal static string Program { get; } = Find();

    internal IEnumerable<ulong> Blocks(string kind) => _said.Where(said => said.Kind == kind).Select(said => said.Address);

    internal string? ReadLine() => _process.StandardOutput.ReadLine();

    internal void EndInput() => _process.StandardInput.Close();

    public void Dispose()
    {
        EndInput();
        _process.WaitForExit();
        _process.Dispose();
    }

    private static string Find()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "NativeHeap.sln")))
        {
            folder = Path.GetDirectoryName(folder)!;
        }

        return Path.Combine(folder, "tests/targets/dotnet-objects/bin/Release/net10.0/dotnet-objects.dll");
    }
}
