namespace NativeHeap.Managed;

/// <summary>Offsets of native code and the IL they were compiled from, packed: a process may have a million.</summary>
internal sealed class IlMap
{
    // Alternately: native offset less the one before, IL offset less the one before (zigzag), as LEB128.
    private readonly byte[] _packed;

    private IlMap(byte[] packed) => _packed = packed;

    /// <summary>Packs a map.</summary>
    /// <param name="entries">In any order; negative IL offsets are the compiler's own code (prolog, epilog).</param>
    /// <returns>Null when nothing in it says where code came from.</returns>
    internal static IlMap? Pack(List<(int Native, int Il)> entries)
    {
        entries.RemoveAll(entry => entry.Native < 0);
        if (!entries.Exists(entry => entry.Il >= 0))
        {
            return null;
        }

        entries.Sort();
        var packed = new List<byte>(entries.Count * 3);
        var native = 0;
        var il = 0;
        foreach (var entry in entries)
        {
            Write(packed, (uint)(entry.Native - native));
            var step = Math.Max(entry.Il, -1) - il;
            Write(packed, (uint)((step << 1) ^ (step >> 31)));
            native = entry.Native;
            il += step;
        }

        return new IlMap([.. packed]);
    }

    /// <summary>The IL offset of the last entry at or before a native offset; code of the compiler's own counts to what
    /// stands before it, a prolog to the method's first instruction.</summary>
    internal int? Find(int offset)
    {
        var position = 0;
        var native = 0L;
        var il = 0;
        int? found = null;
        while (position < _packed.Length)
        {
            native += Read(ref position);
            var step = Read(ref position);
            il += (int)(step >> 1) ^ -(int)(step & 1);
            if (native > offset)
            {
                break;
            }

            found = il >= 0 ? il : found ?? 0;
        }

        return found;
    }

    /// <summary>The IL between the entry at or before a native offset and the next one in the order of the IL.</summary>
    internal IlInterval FindInterval(int offset)
    {
        var from = Find(offset) ?? 0;
        var to = int.MaxValue;
        var position = 0;
        var il = 0;
        while (position < _packed.Length)
        {
            Read(ref position);
            var step = Read(ref position);
            il += (int)(step >> 1) ^ -(int)(step & 1);
            to = il > from ? Math.Min(to, il) : to;
        }

        return new IlInterval(from, to);
    }

    private static void Write(List<byte> to, uint value)
    {
        for (; value >= 0x80; value >>= 7)
        {
            to.Add((byte)(value | 0x80));
        }

        to.Add((byte)value);
    }

    private uint Read(ref int position)
    {
        uint value = 0;
        for (var shift = 0; position < _packed.Length; shift += 7)
        {
            var part = _packed[position++];
            value |= (uint)(part & 0x7F) << shift;
            if (part < 0x80)
            {
                break;
            }
        }

        return value;
    }
}
