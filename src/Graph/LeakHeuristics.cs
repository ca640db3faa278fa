using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Proc;
using NativeHeap.Model;

namespace NativeHeap.Graph;

/// <summary>
/// Pointers into the midst of a block that C++ programs keep instead of one to its start; memcheck's heuristics
/// (valgrind manual, 4.2.8: stdstring, length64, newarray, multipleinheritance), and three more: a pointer to the end, as
/// of an empty array behind its length or of a vector that is filled from the back; the C++ runtime's to an exception that
/// is under way or kept; and one that was rounded up, with the address to be freed beside it, as in the C library's loader
/// and in many functions that align.
/// </summary>
/// <param name="memory">Of a process that does not run.</param>
/// <param name="mappings">Its mappings by rising address.</param>
internal sealed class LeakHeuristics(IMemoryReader memory, IReadOnlyList<MemoryMapping> mappings)
{
    private const ulong Word = sizeof(ulong);
    private const ulong ExceptionHeader = 16; // __cxa_exception in __cxa_refcounted_exception (libstdc++)
    private const ulong ExceptionClass = 96; // where the unwinder's header begins in it, with who threw
    private const ulong ExceptionObject = 128; // what was thrown
    private const ulong GnuException = 0x474E5543432B2B00; // "GNUCC++" (Itanium C++ ABI, exception handling, 2.1)
    private const int TableWords = 3; // of a virtual table, looked at for code

    /// <summary>Whether a pointer into a block holds it as well as one to its start.</summary>
    /// <param name="block">The block.</param>
    /// <param name="pointer">After its start.</param>
    public bool Holds(in HeapBlock block, ulong pointer)
    {
        var offset = pointer - block.Address;
        return offset == block.Bytes
            || (offset == Word && IsCounted(block))
            || (offset == 3 * Word && IsString(block))
            || (pointer % (2 * Word) == 0 && HasStartBeside(block, pointer))
            || (offset is ExceptionHeader or ExceptionClass or ExceptionObject && IsException(block))
            || (offset % Word == 0 && IsSecondBase(block, offset));
    }

    // The rest of the block is what its first word says: a length in bytes, or a number of elements of equal size.
    private bool IsCounted(in HeapBlock block)
    {
        var rest = block.Bytes - Word;
        return block.Bytes > Word && memory.TryReadWord(block.Address, out var count)
            && count != 0 && (count == rest || (count <= rest && rest % count == 0));
    }

    // libstdc++ before the C++11 ABI: length, capacity and reference count stand before the characters.
    private bool IsString(in HeapBlock block)
    {
        Span<ulong> head = stackalloc ulong[3];
        return block.Bytes > 3 * Word && memory.ReadWords(block.Address, head) == 3
            && head[0] <= head[1] && head[1] == block.Bytes - (3 * Word) - 1;
    }

    private bool HasStartBeside(in HeapBlock block, ulong pointer) =>
        (memory.TryReadWord(pointer - Word, out var before) && before == block.Address)
        || (pointer + (2 * Word) <= block.Address + block.Bytes
            && memory.TryReadWord(pointer + Word, out var after) && after == block.Address);

    private bool IsException(in HeapBlock block) =>
        block.Bytes >= ExceptionObject && memory.TryReadWord(block.Address + ExceptionClass, out var thrower)
        && thrower == GnuException;

    // An object of several bases has a virtual table's address at its start and another where the second base begins.
    private bool IsSecondBase(in HeapBlock block, ulong offset) =>
        offset + Word <= block.Bytes
        && memory.TryReadWord(block.Address, out var first) && memory.TryReadWord(block.Address + offset, out var second)
        && first != second && IsVirtualTable(first) && IsVirtualTable(second);

    private bool IsVirtualTable(ulong address)
    {
        if (address % Word != 0 || mappings.Of(address) is not { IsReadable: true, IsWritable: false, Path.Length: > 0 })
        {
            return false;
        }

        Span<ulong> table = stackalloc ulong[TableWords];
        var count = memory.ReadWords(address, table);
        foreach (var entry in table[..count])
        {
            if (mappings.Of(entry) is { IsExecutable: true })
            {
                return true;
            }
        }

        return false;
    }
}
