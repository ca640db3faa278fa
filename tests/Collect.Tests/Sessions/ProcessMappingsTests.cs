using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using NativeHeap.Collect.Sessions;

namespace NativeHeap.Collect.Tests.Sessions;

public sealed class ProcessMappingsTests
{
    // As a .NET application in a single file is, that maps itself to read what is bundled in it.
    [Fact]
    public void A_library_that_is_mapped_as_bytes_too_covers_its_code_alone()
    {
        var path = File.ReadLines("/proc/self/maps").First(line => line.EndsWith("/libc.so.6", StringComparison.Ordinal)).Split(' ')[^1];
        using var file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        using var bytes = file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        var mappings = new ProcessMappings();
        mappings.Know(7, Environment.ProcessId);

        var module = Assert.Single(mappings.Read(7)!, module => module.Path == path);
        Assert.InRange(module.End - module.Start, 1UL, (ulong)new FileInfo(path).Length);
        Assert.Equal(0UL, module.Bias % 4096);
        Assert.InRange(
            (ulong)NativeLibrary.GetExport(NativeLibrary.Load(path), "malloc"),
            module.Start, module.End);
    }

    [Fact]
    public void A_process_that_nobody_told_of_has_none() => Assert.Null(new ProcessMappings().Read(7));
}
