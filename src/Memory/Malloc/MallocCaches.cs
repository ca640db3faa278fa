using NativeHeap.Memory.Holding;

namespace NativeHeap.Memory.Malloc;

/// <summary>
/// Free chunks that malloc itself marks as in use: those in the fast bins of arenas and in the caches of threads. A
/// thread's cache is a block that malloc gave to itself; it is recognised by what it holds.
/// </summary>
/// <param name="memory">Of a process that does not run.</param>
public sealed class MallocCaches(IMemoryReader memory)
{
    private const int MostListed = 1 << 20;

    private readonly HashSet<ulong> _free = [];

    /// <summary>User addresses of the free chunks found so far.</summary>
    public IReadOnlySet<ulong> Free => _free;

    /// <summary>Takes in an arena's fast bins.</summary>
    public void AddFastBins(MallocArena arena)
    {
        ArgumentNullException.ThrowIfNull(arena);
        foreach (var first in arena.FastBins)
        {
            var user = first == 0 ? 0 : first + MallocLayout.HeaderBytes;
            for (var i = 0; user != 0 && i < MostListed && _free.Add(user); i++)
            {
                var next = Next(user);
                user = next == 0 ? 0 : next + MallocLayout.HeaderBytes;
            }
        }
    }

    /// <summary>Takes in a chunk if it is a thread's cache.</summary>
    /// <param name="chunk">A chunk in use that no caller of malloc is known to have.</param>
    /// <returns>True when it is one.</returns>
    public bool TryAddCache(MallocChunk chunk)
    {
        if (chunk.Bytes != MallocLayout.CacheChunkBytes)
        {
            return false;
        }

        Span<ulong> words = stackalloc ulong[MallocLayout.CacheWords];
        if (memory.ReadWords(chunk.User, words) != words.Length)
        {
            return false;
        }

        const int firstList = MallocLayout.CacheLists / 4; // four counts a word
        var found = new List<ulong>();
        for (var list = 0; list < MallocLayout.CacheLists; list++)
        {
            var count = (int)(words[list / 4] >> (16 * (list % 4))) & 0xFFFF;
            if (!TryFollow(words[firstList + list], count, MallocLayout.SmallestChunk + (16UL * (ulong)list), found))
            {
                return false;
            }
        }

        _free.UnionWith(found);
        return true;
    }

    private bool TryFollow(ulong first, int count, ulong chunkBytes, List<ulong> found)
    {
        var user = first;
        for (var i = 0; i < count; i++)
        {
            if (user == 0 || user % 16 != 0 || !memory.TryReadWord(user - 8, out var size)
                || (size & MallocLayout.SizeMask) != chunkBytes)
            {
                return false;
            }

            found.Add(user);
            user = Next(user);
        }

        return user == 0 || count == 0;
    }

    // From glibc 2.32 on a link is mixed with the upper bits of its own address ("safe-linking"); before it is plain.
    private ulong Next(ulong user)
    {
        if (!memory.TryReadWord(user, out var word))
        {
            return 0;
        }

        var mixed = word ^ (user >> 12);
        return mixed % 16 == 0 && (mixed == 0 || memory.TryReadWord(mixed, out _)) ? mixed
            : word % 16 == 0 && memory.TryReadWord(word, out _) ? word
            : 0;
    }
}
