using System.Security.Cryptography;
using NativeHeap.Model;

namespace NativeHeap.Symbols;

/// <summary>
/// What the line tables of a binary know of a source file: the MD5 of the text that was compiled (DWARF 5, section
/// 6.2.4.1, DW_LNCT_MD5), which clang and rustc write. Any thread.
/// </summary>
public sealed class DwarfSource
{
    private readonly List<byte[]> _checksums;

    private DwarfSource(List<byte[]> checksums) => _checksums = checksums;

    /// <summary>Finds a source file in the debug information of a binary, wherever that lies.</summary>
    /// <param name="binary">The binary.</param>
    /// <param name="file">The source's path as the debug information spells it.</param>
    /// <returns>Null when there is no debug information of that build, or none with a checksum of the file.</returns>
    public static DwarfSource? Find(Binary binary, string file)
    {
        ArgumentNullException.ThrowIfNull(binary);
        ArgumentNullException.ThrowIfNull(file);
        using var symbols = new ModuleLocator(new SymbolizerOptions(), _ => { }).Open(binary);
        if (symbols.LinesPath is not { } path || DwarfLineTables.Checksums(path, file) is not { Count: > 0 } checksums)
        {
            return null;
        }

        return new DwarfSource(checksums);
    }

    /// <summary>Whether a text is one that was compiled into the binary.</summary>
    /// <param name="content">Every byte of the file.</param>
    public bool IsOf(byte[] content)
    {
#pragma warning disable CA5351 // The compiler chose it, and nothing but a change is looked for.
        var actual = MD5.HashData(content);
#pragma warning restore CA5351
        return _checksums.Exists(checksum => checksum.AsSpan().SequenceEqual(actual));
    }
}
