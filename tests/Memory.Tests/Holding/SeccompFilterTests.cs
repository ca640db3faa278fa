using CsCheck;
using NativeHeap.Memory.Holding;

namespace NativeHeap.Memory.Tests.Holding;

/// <summary>Classic BPF as the kernel runs it on system calls.</summary>
public sealed class SeccompFilterTests
{
    private const uint Allow = 0x7FFF0000, Kill = 0x80000000, KillThread = 0, Trap = 0x00030000, Fail = 0x00050001;

    private static readonly SystemCall s_socket = new("socket", 41, 1, 0x80001, 0);
    private static readonly SystemCall s_wide = new("mmap", 9, 0x1_0000_0007);

    [Theory]
    [InlineData(Allow, SeccompAction.Allow)]
    [InlineData(0x7FFC0000, SeccompAction.Allow)]
    [InlineData(Fail, SeccompAction.Fail)]
    [InlineData(0x7FC00000, SeccompAction.Fail)]
    [InlineData(Trap, SeccompAction.Trap)]
    [InlineData(KillThread, SeccompAction.Kill)]
    [InlineData(Kill, SeccompAction.Kill)]
    [InlineData(0x12340000, SeccompAction.Kill)] // what the kernel does not know, it kills for
    public void A_filter_says_what_is_done(uint value, SeccompAction expected) =>
        Assert.Equal(expected, new SeccompFilter(Program((0x06, 0, 0, value))).Judge(s_socket));

    [Fact]
    public void It_looks_at_number_architecture_and_both_halves_of_arguments()
    {
        Assert.Equal(SeccompAction.Kill, KillsWhere(0, 41).Judge(s_socket));
        Assert.Equal(SeccompAction.Allow, KillsWhere(0, 42).Judge(s_socket));
        Assert.Equal(SeccompAction.Kill, KillsWhere(4, 0xC000003E).Judge(s_socket));
        Assert.Equal(SeccompAction.Kill, KillsWhere(24, 0x80001).Judge(s_socket));
        Assert.Equal(SeccompAction.Kill, KillsWhere(16, 7).Judge(s_wide));
        Assert.Equal(SeccompAction.Kill, KillsWhere(20, 1).Judge(s_wide));
        Assert.Equal(SeccompAction.Kill, KillsWhere(56, 0).Judge(s_wide)); // an argument that is not known
    }

    [Fact]
    public void It_computes_stores_and_jumps()
    {
        var filter = new SeccompFilter(Program(
            (0x20, 0, 0, 0), // A = number
            (0x02, 0, 0, 3), // M[3] = A
            (0x00, 0, 0, 2), // A = 2
            (0x07, 0, 0, 0), // X = A
            (0x60, 0, 0, 3), // A = M[3]
            (0x2C, 0, 0, 0), // A *= X
            (0x14, 0, 0, 80), // A -= 80
            (0x05, 0, 0, 1), // jump over the next
            (0x06, 0, 0, Kill),
            (0x1D, 0, 1, 0), // A == X?
            (0x06, 0, 0, Fail),
            (0x06, 0, 0, Allow)));
        Assert.Equal(SeccompAction.Fail, filter.Judge(s_socket)); // 41 * 2 - 80 = 2
        Assert.Equal(SeccompAction.Allow, filter.Judge(s_wide));
    }

    [Fact]
    public void Whatever_the_program_it_ends()
    {
        Gen.Byte.Array[0, 400].Sample(bytes => Assert.InRange(new SeccompFilter(bytes).Judge(s_socket), SeccompAction.Allow, SeccompAction.Kill));
        Assert.Equal(SeccompAction.Kill, new SeccompFilter([]).Judge(s_socket));
        Assert.Equal(SeccompAction.Kill, new SeccompFilter(Program((0x34, 0, 0, 0), (0x06, 0, 0, Allow))).Judge(s_socket)); // by zero
    }

    private static SeccompFilter KillsWhere(uint offset, uint value) => new(Program(
        (0x20, 0, 0, offset), (0x15, 0, 1, value), (0x06, 0, 0, Kill), (0x06, 0, 0, Allow)));

    private static byte[] Program(params (ushort Code, byte True, byte False, uint K)[] instructions) =>
        [.. instructions.SelectMany(i => (byte[])[(byte)i.Code, (byte)(i.Code >> 8), i.True, i.False, .. BitConverter.GetBytes(i.K)])];
}
