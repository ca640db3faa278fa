using System.Buffers.Text;
using System.Text;

namespace NativeHeap.Memory.Proc;

/// <summary>One line of /proc/PID/maps.</summary>
/// <param name="Start">First address.</param>
/// <param name="End">One past the last.</param>
/// <param name="IsReadable">r</param>
/// <param name="IsWritable">w</param>
/// <param name="IsExecutable">x</param>
/// <param name="IsShared">s, not p</param>
/// <param name="Offset">Offset in the file, bytes.</param>
/// <param name="Inode">Inode of the file; 0 without a file.</param>
/// <param name="Path">Path or a name in brackets, unescaped, with the kernel's " (deleted)" when the file is gone;
/// empty for anonymous memory.</param>
public sealed record MemoryMapping(
    ulong Start,
    ulong End,
    bool IsReadable,
    bool IsWritable,
    bool IsExecutable,
    bool IsShared,
    ulong Offset,
    ulong Inode,
    string Path)
{
    /// <summary>Bytes of address space.</summary>
    public ulong Size => End - Start;

    /// <summary>Parses a line of maps, or the first line of an entry of smaps; null when it is none.</summary>
    /// <param name="line">The line without its end.</param>
    public static MemoryMapping? Parse(ReadOnlySpan<byte> line)
    {
        // start-end perms offset major:minor inode   path
        if (!TakeHex(ref line, (byte)'-', out var start)
            || !TakeHex(ref line, (byte)' ', out var end)
            || end < start
            || line.Length < 5
            || line[4] != ' ')
        {
            return null;
        }

        var permissions = line[..4];
        line = line[5..];
        if (!TakeHex(ref line, (byte)' ', out var offset)
            || !TakeHex(ref line, (byte)':', out _)
            || !TakeHex(ref line, (byte)' ', out _)
            || !Utf8Parser.TryParse(line, out ulong inode, out var used))
        {
            return null;
        }

        return new MemoryMapping(
            start,
            end,
            permissions[0] == 'r',
            permissions[1] == 'w',
            permissions[2] == 'x',
            permissions[3] == 's',
            offset,
            inode,
            Unescape(line[used..].TrimStart((byte)' ')));
    }

    private static bool TakeHex(ref ReadOnlySpan<byte> line, byte terminator, out ulong value)
    {
        if (!Utf8Parser.TryParse(line, out value, out var used, 'x') || used >= line.Length || line[used] != terminator)
        {
            return false;
        }

        line = line[(used + 1)..];
        return true;
    }

    // The kernel escapes newlines alone (seq_file_path with "\n").
    private static string Unescape(ReadOnlySpan<byte> path) => path.IsEmpty
        ? string.Empty
        : Encoding.UTF8.GetString(path).Replace("\\012", "\n", StringComparison.Ordinal);
}
