using System.Runtime.InteropServices;
using NativeHeap.Model;

namespace NativeHeap.Graph;

/// <summary>By block: the address that may be that of its virtual table. Written by several threads, each for other blocks
/// and by a <see cref="Writer"/> of its own; then read by several.</summary>
internal sealed unsafe class BlockTables : IDisposable
{
    private readonly ushort* _numbers; // 0: none
    private readonly List<ulong> _tables = [0];
    private readonly Dictionary<ulong, ushort> _known = [];
    private readonly Lock _gate = new();

    /// <summary>None of any block.</summary>
    public BlockTables(HeapBlocks blocks) => _numbers = (ushort*)NativeMemory.AllocZeroed((nuint)Math.Max(1, blocks.Count), sizeof(ushort));

    /// <summary>A block's; 0: it has none, or there are more tables than can be told apart (65,535).</summary>
    public ulong this[int block] => _tables[_numbers[block]];

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.Free(_numbers);

    private ushort NumberOf(ulong table)
    {
        lock (_gate)
        {
            if (!_known.TryGetValue(table, out var number) && _tables.Count <= ushort.MaxValue)
            {
                number = (ushort)_tables.Count;
                _tables.Add(table);
                _known.Add(table, number);
            }

            return number;
        }
    }

    /// <summary>Notes tables. For one thread.</summary>
    public sealed class Writer(BlockTables tables)
    {
        private readonly Dictionary<ulong, ushort> _known = [];

        /// <summary>Notes a block's.</summary>
        public void Set(int block, ulong table)
        {
            if (!_known.TryGetValue(table, out var number))
            {
                _known.Add(table, number = tables.NumberOf(table));
            }

            tables._numbers[block] = number;
        }
    }
}
