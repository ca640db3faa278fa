using System.Buffers.Binary;

namespace NativeHeap.Memory;

/// <summary>What the extended attribute security.capability gives a program (capabilities(7)).</summary>
/// <param name="Permitted">Capabilities added to those the process may use, a bit each.</param>
/// <param name="IsEffective">They are in force from the start.</param>
public readonly record struct FileCapabilities(ulong Permitted, bool IsEffective)
{
    private const string Attribute = "security.capability";
    private const uint EffectiveFlag = 1;

    /// <summary>A file's capabilities; null when it has none.</summary>
    /// <param name="path">The file; links are followed.</param>
    public static FileCapabilities? TryRead(string path) =>
        Libc.ReadAttribute(path, Attribute, 64) is { } bytes ? Parse(bytes) : null;

    /// <summary>Parses the attribute (struct vfs_cap_data of linux/capability.h); null when it is none.</summary>
    /// <param name="bytes">Its value.</param>
    public static FileCapabilities? Parse(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 12)
        {
            return null;
        }

        var header = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        ulong permitted = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]);
        var revision = header >> 24;
        if (revision is 2 or 3 && bytes.Length >= 20)
        {
            permitted |= (ulong)BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]) << 32;
        }
        else if (revision != 1)
        {
            return null;
        }

        return new FileCapabilities(permitted, (header & EffectiveFlag) != 0);
    }
}
