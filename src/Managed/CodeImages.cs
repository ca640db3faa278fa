using NativeHeap.Memory.Proc;

namespace NativeHeap.Managed;

/// <summary>An assembly's file in a process's memory, section by section at its place.</summary>
/// <param name="Start">First address.</param>
/// <param name="End">One past the last.</param>
/// <param name="Path">The file.</param>
public sealed record MappedImage(ulong Start, ulong End, string Path);

/// <summary>Where a process has the files of its assemblies mapped: the code in them was compiled before. For one
/// thread at a time.</summary>
internal sealed class CodeImages
{
    private const int MostImages = 1 << 16;

    private readonly SortedList<ulong, (ulong End, string Path)> _images = [];

    /// <summary>Takes in what is mapped now; what was mapped before and is gone stays as long as nothing else is there.</summary>
    internal void Update(IReadOnlyList<MemoryMapping> mappings)
    {
        foreach (var parts in Adjacent(mappings.Where(IsAssembly)))
        {
            if (_images.Count < MostImages)
            {
                _images[parts[0].Start] = (parts[^1].End, parts[0].Path);
            }
        }
    }

    /// <summary>The image that an address lies in; null when it lies in none.</summary>
    internal MappedImage? Find(ulong address)
    {
        var low = 0;
        var high = _images.Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_images.GetKeyAtIndex(middle) <= address)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        if (low == 0)
        {
            return null;
        }

        var (end, path) = _images.GetValueAtIndex(low - 1);
        return address < end ? new MappedImage(_images.GetKeyAtIndex(low - 1), end, path) : null;
    }

    // A shared mapping is the file as it lies on disk: nothing in it runs.
    private static bool IsAssembly(MemoryMapping mapping) =>
        mapping is { Inode: not 0, IsShared: false } && (mapping.Path.EndsWith(".dll", StringComparison.OrdinalIgnoreCase)
            || mapping.Path.EndsWith(".exe", StringComparison.OrdinalIgnoreCase));

    // The runtime maps an image's sections one by one, at their places; between them nothing of others can be.
    private static IEnumerable<List<MemoryMapping>> Adjacent(IEnumerable<MemoryMapping> mappings)
    {
        var parts = new List<MemoryMapping>();
        foreach (var mapping in mappings)
        {
            if (parts.Count > 0 && (parts[^1].Path != mapping.Path || mapping.Offset < parts[^1].Offset))
            {
                yield return parts;
                parts = [];
            }

            parts.Add(mapping);
        }

        if (parts.Count > 0)
        {
            yield return parts;
        }
    }
}
