using System.Runtime.CompilerServices;

namespace NativeHeap.Managed.Heaps;

/// <summary>Method table → number of its type. A few thousand of them are looked up some ten million times.</summary>
internal sealed class MethodTableMap
{
    private ulong[] _keys = new ulong[4096];
    private int[] _values = new int[4096];
    private int _count;

    /// <summary>The number; -1 when there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Find(ulong methodTable)
    {
        var keys = _keys;
        var mask = keys.Length - 1;
        for (var at = Hash(methodTable) & mask; ; at = (at + 1) & mask)
        {
            if (keys[at] == methodTable)
            {
                return _values[at];
            }
            if (keys[at] == 0)
            {
                return -1;
            }
        }
    }

    /// <summary>Adds one that is not there.</summary>
    public void Add(ulong methodTable, int value)
    {
        if (++_count > _keys.Length / 2)
        {
            Grow();
        }
        Place(methodTable, value);
    }

    private static int Hash(ulong methodTable) => (int)((methodTable >> 3) * 0x9E3779B97F4A7C15 >> 40);

    private void Place(ulong methodTable, int value)
    {
        var at = Hash(methodTable) & (_keys.Length - 1);
        while (_keys[at] != 0)
        {
            at = (at + 1) & (_keys.Length - 1);
        }
        _keys[at] = methodTable;
        _values[at] = value;
    }

    private void Grow()
    {
        var (keys, values) = (_keys, _values);
        _keys = new ulong[keys.Length * 2];
        _values = new int[keys.Length * 2];
        for (var i = 0; i < keys.Length; i++)
        {
            if (keys[i] != 0)
            {
                Place(keys[i], values[i]);
            }
        }
    }
}
