using NativeHeap.Memory.Holding;
using NativeHeap.Model;

namespace NativeHeap.Graph.Objects;

/// <summary>A word outside of blocks and objects that points into a block.</summary>
/// <param name="Location">Where it stands; 0: in a register.</param>
/// <param name="Block">The block's place.</param>
internal readonly record struct BlockPointer(ulong Location, int Block);

/// <summary>Looks through the roots of a held process for pointers into its blocks.</summary>
internal static unsafe class RootScan
{
    private const int PieceBytes = 1 << 20;

    /// <summary>Finds them, in the order of the roots.</summary>
    /// <exception cref="OperationCanceledException">It took too long.</exception>
    public static NativeList<BlockPointer> Find(
        RootSet roots, IMemoryReader memory, BlockFinder finder, CancellationToken cancellation)
    {
        var found = new NativeList<BlockPointer>();
        foreach (var word in roots.Words)
        {
            Add(word, 0, finder, found);
        }

        var words = new ulong[PieceBytes / sizeof(ulong)];
        var places = new int[words.Length];
        fixed (ulong* start = words)
        fixed (int* place = places)
        {
            foreach (var range in roots.Ranges)
            {
                for (var at = (range.Start + 7) & ~7UL; at + sizeof(ulong) <= range.End;)
                {
                    cancellation.ThrowIfCancellationRequested();
                    var wanted = (int)Math.Min(PieceBytes, (range.End - at) & ~7UL);
                    var got = memory.Read(at, new Span<byte>(start, wanted)) / sizeof(ulong);
                    var count = finder.Filter.Find(start, got, place);
                    for (var i = 0; i < count; i++)
                    {
                        Add(start[place[i]], at + ((ulong)place[i] * sizeof(ulong)), finder, found);
                    }

                    at += got * sizeof(ulong) == wanted ? (ulong)wanted : ((ulong)got * sizeof(ulong) + 4096) & ~4095UL;
                }
            }
        }

        return found;
    }

    private static void Add(ulong word, ulong location, BlockFinder finder, NativeList<BlockPointer> found)
    {
        if (finder.Find(word) is var block && block != BlockIndex.None)
        {
            found.Add(new BlockPointer(location, block));
        }
    }
}
