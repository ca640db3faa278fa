using System.Globalization;
using NativeHeap.Memory.Elf;
using NativeHeap.Model;

namespace NativeHeap.Present.Exports;

/// <summary>
/// The text format of gperftools' heap profiler, which google-pprof and <c>go tool pprof</c> read. It holds addresses and no
/// names: the reader resolves them with the binaries on its machine. Since processes may have a module anywhere, each
/// module gets a range of addresses of its own here, and the section of mappings says so.
/// </summary>
internal sealed class GperftoolsExport
{
    private const ulong FirstBase = 0x1000_0000_0000;
    private const ulong ModuleRange = 0x10_0000_0000;
    private const uint ExecutableFlag = 1; // PF_X

    private readonly Dictionary<Binary, Placed> _modules = [];
    private readonly List<string> _addresses = []; // by place; empty where there is no code

    private readonly record struct Placed(ulong Base, ulong Start, ulong End, ulong Offset);

    /// <summary>Writes all samples.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="source">The trace.</param>
    public static void Write(TextWriter output, ExportSource source)
    {
        var export = new GperftoolsExport();
        var places = new CallPlaces(source.Stacks);
        var stack = new List<int>();
        var totals = source.Totals;
        output.Write(string.Create(
            CultureInfo.InvariantCulture,
            $"heap profile: {totals.LiveBlocks}: {totals.LiveBytes} [{totals.Allocations}: {totals.AllocatedBytes}] @ heapprofile\n"));
        foreach (var usage in source.Samples)
        {
            output.Write(string.Create(
                CultureInfo.InvariantCulture,
                $"{usage.LiveBlocks}: {usage.LiveBytes} [{usage.Allocations}: {usage.AllocatedBytes}] @"));
            places.Walk(usage.Node, stack);
            export.AddNewAddresses(places);
            foreach (var place in stack)
            {
                output.Write(export._addresses[place]);
            }

            output.Write('\n');
        }

        output.Write("\nMAPPED_LIBRARIES:\n");
        foreach (var (module, place) in export._modules)
        {
            output.Write(string.Create(
                CultureInfo.InvariantCulture,
                $"{place.Start:x}-{place.End:x} r-xp {place.Offset:x8} 00:00 0 {Words.Printable(module.Path)}\n"));
        }
    }

    private void AddNewAddresses(CallPlaces places)
    {
        for (var place = _addresses.Count; place < places.Count; place++)
        {
            var frame = places.Physical(place);
            var (module, offset, _) = frame.Location;
            var address = module is null ? offset : unchecked(PlaceOf(module).Base + offset);
            _addresses.Add(frame.Marker is null ? string.Create(CultureInfo.InvariantCulture, $" 0x{address:x}") : "");
        }
    }

    private Placed PlaceOf(Binary module)
    {
        if (!_modules.TryGetValue(module, out var place))
        {
            var start = FirstBase + ((ulong)_modules.Count * ModuleRange);
            var code = CodeOf(module.Path);
            place = code is { } segment
                ? new Placed(start, start + segment.Address, start + segment.Address + segment.MemoryBytes, segment.Offset)
                : new Placed(start, start, start + ModuleRange - 1, 0); // as most linkers place it
            _modules.Add(module, place);
        }

        return place;
    }

    // Readers find the place in the file by the mapping's offset.
    private static ElfSegment? CodeOf(string path)
    {
        using var file = ElfFile.TryOpen(path, out _);
        var segments = file?.Segments.Where(segment =>
            segment.Kind == ElfSegment.Load && (segment.Flags & ExecutableFlag) != 0 && segment.Address + segment.MemoryBytes < ModuleRange);
        return segments?.Cast<ElfSegment?>().FirstOrDefault();
    }
}
