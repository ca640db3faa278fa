using System.Globalization;
using NativeHeap.Memory.Elf;
using NativeHeap.Model;

namespace NativeHeap.Symbols.Tests;

/// <summary>Binaries kept as they were built once, and what their call sites stand for; tests/golden/symbols/README.md
/// tells where they come from.</summary>
public sealed class GoldenTests
{
    private static readonly string s_folder = Path.Combine(AppContext.BaseDirectory, "golden/symbols");

    public static TheoryData<string, LineTools> Cases()
    {
        var cases = new TheoryData<string, LineTools>();
        foreach (var binary in Directory.EnumerateFiles(s_folder, "*.so").Order(StringComparer.Ordinal))
        {
            var name = Path.GetFileNameWithoutExtension(binary);
            cases.Add(name, LineTools.Llvm);
            cases.Add(name, LineTools.Addr2Line);
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Call_sites_of_a_kept_binary_have_the_frames_that_were_written_down(string name, LineTools tools)
    {
        var path = Path.Combine(s_folder, name + ".so");
        using var file = ElfFile.TryOpen(path, out var problem);
        Assert.True(file is not null, problem);
        var binary = new Binary(path, file.BuildId);
        var own = Path.Combine(s_folder, name + ".addr2line.expected");
        var expected = File.ReadAllText(
            tools == LineTools.Addr2Line && File.Exists(own) ? own : Path.Combine(s_folder, name + ".expected"));
        var sites = expected.Split('\n')
            .Where(line => line.StartsWith("0x", StringComparison.Ordinal))
            .Select(line => ulong.Parse(line.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture))
            .ToList();
        using var symbolizer = SymbolizerHarness.Symbolizer(tools);

        var results = symbolizer.ResolveAll([.. sites.Select(site => new Location(binary, site, FrameKind.Native))]);

        Assert.Equal(expected, string.Concat(sites.Zip(results, Shown)));
        Assert.Empty(symbolizer.Notes);
    }

    private static string Shown(ulong site, IReadOnlyList<ResolvedFrame> frames) =>
        $"0x{site:x}\n" + string.Concat(frames.Select(frame => string.Create(
            CultureInfo.InvariantCulture,
            $"    {(frame.Inlined ? "inlined " : "")}{frame.Function}  {frame.File}:{frame.Line}\n")));
}
