using CsCheck;
using NativeHeap.Memory.Elf;
using NativeHeap.Testing;

namespace NativeHeap.Symbols.Tests;

/// <summary>Damaged binaries, given to the real tools: whatever becomes of those, there is an answer, and the undamaged
/// binary beside it keeps its lines.</summary>
public sealed class DamagedFileTests : IDisposable
{
    private const string Source = """
        template <int N> __attribute__((noinline)) int step(int n) { mark("one"); return n + N; }
        int main(int n, char **) { return step<1>(n) == 0; }
        """;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(LineTools.Llvm)]
    [InlineData(LineTools.Addr2Line)]
    public void Damaged_debug_information_never_ends_the_work(LineTools tools)
    {
        var program = MarkedProgram.Cpp(_folder, "program", Source);
        var original = File.ReadAllBytes(program.Path);
        var place = program["one"];
        List<(int Start, int Length)> sections;
        using (var file = ElfFile.TryOpen(program.Path, out _)!)
        {
            sections =
            [
                .. file.Sections
                    .Where(section => section.Name.StartsWith(".debug", StringComparison.Ordinal) || section.Name == ".symtab")
                    .Select(section => ((int)section.Offset, (int)section.Bytes)),
            ];
        }

        Gen.Select(Gen.Int[0, 1 << 20], Gen.Int[0, 1 << 20], Gen.Byte).Array[1, 40].Sample(
            changes =>
            {
                var bytes = original.ToArray();
                foreach (var (section, at, value) in changes)
                {
                    var (start, length) = sections[section % sections.Count];
                    bytes[start + (at % length)] = value;
                }

                File.WriteAllBytes(_folder["damaged"], bytes);
                var damaged = place with { Module = place.Module! with { Path = _folder["damaged"] } };
                using var symbolizer = SymbolizerHarness.Symbolizer(tools);

                var results = symbolizer.ResolveAll([damaged, place]);

                Assert.Equal([$"int step<1>(int) program.cpp:{program.Line("one")}"], results[1].Shown());
            },
            iter: 40,
            threads: 1);
    }
}
