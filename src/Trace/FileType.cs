using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace NativeHeap.Trace;

/// <summary>
/// What a path names. .NET cannot tell a pipe from a file, and opening a pipe waits for its other end.
/// </summary>
internal static partial class FileType
{
    private const int CurrentDirectory = -100; // AT_FDCWD
    private const int AutomountNone = 0x800; // AT_NO_AUTOMOUNT
    private const uint TypeWanted = 1; // STATX_TYPE
    private const int ModeOffset = 28; // of stx_mode, linux/stat.h
    private const int TypeMask = 0xF000; // S_IFMT
    private const int Regular = 0x8000; // S_IFREG

    /// <summary>True for a regular file, also through links.</summary>
    public static bool IsRegular(string path)
    {
        Span<byte> result = stackalloc byte[256];
        var name = Encoding.UTF8.GetBytes(path + '\0');
        if (Statx(CurrentDirectory, name, AutomountNone, TypeWanted, result) != 0)
        {
            return false;
        }

        return (BinaryPrimitives.ReadUInt16LittleEndian(result[ModeOffset..]) & TypeMask) == Regular;
    }

    [LibraryImport("libc", EntryPoint = "statx")]
    private static partial int Statx(int directory, byte[] path, int flags, uint mask, Span<byte> result);
}
