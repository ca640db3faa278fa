using System.Buffers.Binary;
using NativeHeap.Memory.Runtimes;

namespace NativeHeap.Memory.Tests.Runtimes;

public sealed class V8PageTests
{
    private const ulong Address = 0x4b_d69c_0000;
    private const ulong Bytes = 256 * 1024;

    [Fact]
    public void A_page_of_V8_is_known_by_its_header()
    {
        Assert.Equal(Bytes, V8Page.Read(Header(), Address));
        Assert.Equal(0UL, V8Page.Read(Header(), Address + Bytes));
        Assert.Equal(0UL, V8Page.Read(Header(Address + 4096), Address + 4096));
        Assert.Equal(0UL, V8Page.Read(Header().AsSpan(0, 120), Address));
        Assert.Equal(0UL, V8Page.Read(new byte[V8Page.HeaderBytes], Address));
    }

    [Theory]
    [InlineData(0, ulong.MaxValue)] // larger than any
    [InlineData(24, Address + Bytes)] // the area begins behind the page
    [InlineData(32, Address + Bytes + 8)] // and ends there
    [InlineData(80, 0)] // reserved elsewhere
    public void What_contradicts_itself_is_none(int offset, ulong value)
    {
        var header = Header();
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(offset), value);

        Assert.Equal(0UL, V8Page.Read(header, Address));
    }

    // As a page of Node.js 20 was seen to begin.
    private static byte[] Header(ulong address = Address)
    {
        ulong[] words =
        [
            Bytes, 0xa, 0x28551000, address + 0x1148, address + Bytes, 0x3eeb8, 0, 0x3ffe8, 0x28524298, 0x566a2f0, address, Bytes, 0, 0, 0, 0,
        ];
        var header = new byte[V8Page.HeaderBytes];
        for (var i = 0; i < words.Length; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(i * sizeof(ulong)), words[i]);
        }

        return header;
    }
}
