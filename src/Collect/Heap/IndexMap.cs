using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeHeap.Collect.Heap;

/// <summary>Node → dense index, small for a process that allocates little. For one thread.</summary>
internal sealed unsafe class IndexMap : IDisposable
{
    private Entry* _entries;
    private uint _mask;
    private uint _count;

    public IndexMap()
    {
        _entries = (Entry*)NativeMemory.AllocZeroed(16, (nuint)sizeof(Entry));
        _mask = 15;
    }

    /// <summary>The index kept for a node, or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Find(uint node)
    {
        for (var i = Home(node); ; i = (i + 1) & _mask)
        {
            var entry = _entries[i];
            if (entry.Node == node && entry.IndexPlusOne != 0)
            {
                return entry.IndexPlusOne - 1;
            }

            if (entry.IndexPlusOne == 0)
            {
                return -1;
            }
        }
    }

    /// <summary>Keeps an index for a node that has none.</summary>
    public void Add(uint node, int index)
    {
        if (_count * 2 > _mask)
        {
            Grow();
        }

        Put(new Entry { Node = node, IndexPlusOne = index + 1 });
        _count++;
    }

    public void Dispose()
    {
        NativeMemory.Free(_entries);
        _entries = null;
    }

    private uint Home(uint node) => (node * 0x9E3779B1) >> 7 & _mask;

    private void Put(Entry entry)
    {
        var i = Home(entry.Node);
        while (_entries[i].IndexPlusOne != 0)
        {
            i = (i + 1) & _mask;
        }

        _entries[i] = entry;
    }

    private void Grow()
    {
        var old = _entries;
        var places = _mask + 1;
        _entries = (Entry*)NativeMemory.AllocZeroed(checked(places * 2), (nuint)sizeof(Entry));
        _mask = (places * 2) - 1;
        for (uint i = 0; i < places; i++)
        {
            if (old[i].IndexPlusOne != 0)
            {
                Put(old[i]);
            }
        }

        NativeMemory.Free(old);
    }

    private struct Entry
    {
        public uint Node;
        public int IndexPlusOne;
    }
}
