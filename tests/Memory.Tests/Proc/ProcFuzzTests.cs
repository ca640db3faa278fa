using System.Text;
using CsCheck;
using NativeHeap.Memory.Proc;
using NativeHeap.Testing;

namespace NativeHeap.Memory.Tests.Proc;

/// <summary>Whatever stands below /proc, readers answer or say that there is nothing.</summary>
public sealed class ProcFuzzTests : IDisposable
{
    private static readonly Gen<string> Words = Gen.OneOf(
        Gen.String[0, 12],
        Gen.Select(Gen.ULong, value => value.ToString("x")),
        Gen.Select(Gen.Long, value => value.ToString()),
        Gen.OneOf(" ", "-", ":", "\n", "\0", ")", "(", "kB", "Rss:", "Uid:", "rw-p", "7f00-8f00 rw-p 0 0:0 0 ", "[heap]", "Z"));

    private static readonly Gen<string> Texts = Words.Array[0, 80].Select(string.Concat);

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Any_text_below_proc_is_read_without_an_exception()
    {
        string[] files = ["maps", "smaps", "statm", "status", "stat", "environ", "cmdline", "comm", "task/7/syscall", "task/7/stat"];

        Texts.Sample(
            text =>
            {
                foreach (var file in files)
                {
                    _folder.Write("7/" + file, text);
                }

                var reader = new ProcessReader(7, _folder.Path);
                Assert.NotNull(reader.ReadMappings());
                Assert.NotNull(reader.ReadEnvironment());
                Assert.NotNull(reader.ReadCommandLine());
                var memory = reader.ReadResidentMemory();
                Assert.Equal(memory?.RssBytes, memory?.Parts.Sum(part => part.Bytes) + memory?.UnexplainedBytes);
                reader.ReadStatus();
                reader.ReadStat();
                reader.ReadName();
                reader.ReadThreadStat(7);
            },
            iter: 1_000,
            threads: 1);
    }

    [Fact]
    public void A_line_of_maps_survives_being_written_and_parsed()
    {
        Gen.Select(Gen.ULong, Gen.ULong, Gen.Int[0, 15], Gen.ULong, Gen.ULong, Gen.String[Gen.Char['!', 'z'], 0, 30]).Sample(
            (first, second, flags, offset, inode, path) =>
            {
                var mapping = new MemoryMapping(
                    Math.Min(first, second),
                    Math.Max(first, second),
                    (flags & 1) != 0,
                    (flags & 2) != 0,
                    (flags & 4) != 0,
                    (flags & 8) != 0,
                    offset,
                    inode,
                    path.Replace("\\012", "\n", StringComparison.Ordinal));
                var permissions = $"{(mapping.IsReadable ? 'r' : '-')}{(mapping.IsWritable ? 'w' : '-')}"
                    + $"{(mapping.IsExecutable ? 'x' : '-')}{(mapping.IsShared ? 's' : 'p')}";
                var line = $"{mapping.Start:x}-{mapping.End:x} {permissions} {offset:x8} fd:01 {inode}     {path}";

                Assert.Equal(mapping, MemoryMapping.Parse(Encoding.UTF8.GetBytes(line)));
            });
    }
}
