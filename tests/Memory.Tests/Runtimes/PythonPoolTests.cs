using System.Buffers.Binary;
using NativeHeap.Memory.Runtimes;

namespace NativeHeap.Memory.Tests.Runtimes;

public sealed class PythonPoolTests
{
    private const ulong Address = 0x7f12_3456_8000;

    [Theory]
    [InlineData(16384, 16, 3, 64)] // Python 3.10 and later
    [InlineData(16384, 16, 31, 512)]
    [InlineData(4096, 16, 0, 16)] // 3.8 and 3.9
    [InlineData(4096, 8, 63, 512)] // before
    [InlineData(4096, 8, 4, 40)]
    public void A_header_tells_the_pools_size_and_what_of_it_is_given_out(int bytes, int unit, int index, int block)
    {
        Assert.Equal(block, (index + 1) * unit);

        var pool = PythonPool.Read(Header(bytes, index, block), Address);

        Assert.Equal(((ulong)bytes, 5UL * (ulong)block), (pool!.Value.Bytes, pool.Value.LiveBytes));
    }

    // Offsets of count, freeblock, szidx, nextoffset and maxnextoffset, each with a value that its pool cannot have.
    [Theory]
    [InlineData(0, 256)] // more blocks than fit
    [InlineData(8, 0x7f13)] // outside of the pool
    [InlineData(36, 64)] // larger than any block
    [InlineData(36, 2)] // does not agree with the last block's place
    [InlineData(40, 120)] // in the middle of a block
    [InlineData(44, 0)]
    public void What_contradicts_itself_is_no_header(int offset, uint value)
    {
        var header = Header(16384, 3, 64);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(offset), value);

        Assert.Null(PythonPool.Read(header, Address));
    }

    [Fact]
    public void A_header_at_another_place_a_cut_one_and_empty_memory_are_none()
    {
        var header = Header(16384, 3, 64);

        Assert.Null(PythonPool.Read(header, Address + 4096));
        Assert.Null(PythonPool.Read(header.AsSpan(0, 47), Address));
        Assert.Null(PythonPool.Read(new byte[PythonPool.HeaderBytes], Address));
    }

    private static byte[] Header(int bytes, int index, int block)
    {
        var header = new byte[PythonPool.HeaderBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(header, 5);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(8), Address + 48);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(36), index);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(40), 48 + (6 * block));
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(44), bytes - block);
        return header;
    }
}
