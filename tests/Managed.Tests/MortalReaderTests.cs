using System.Diagnostics;
using Microsoft.Diagnostics.Runtime;

namespace NativeHeap.Managed.Tests;

public sealed class MortalReaderTests
{
    [Fact]
    public void Of_a_process_that_has_ended_nothing_can_be_read_and_that_is_no_error()
    {
        using var program = Process.Start(new ProcessStartInfo("/bin/sleep", "60"))!;
        using var process = DataTarget.AttachToProcess(program.Id, suspend: false);
        var reader = new MortalReader(process.DataReader);
        var address = process.DataReader.EnumerateModules().First().ImageBase;
        Assert.Equal(0x464C457Fu, reader.Read<uint>(address)); // the ELF header

        program.Kill();
        program.WaitForExit();

        Assert.Throws<InvalidOperationException>(() => process.DataReader.Read<uint>(address));
        Assert.False(reader.Read(address, out uint _));
        Assert.Equal(0, reader.Read(address, new byte[8]));
        Assert.Equal(0u, reader.ReadPointer(address));
    }
}
