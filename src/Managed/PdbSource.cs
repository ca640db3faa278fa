using System.Buffers.Binary;
using System.IO.Compression;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Security.Cryptography;

namespace NativeHeap.Managed;

/// <summary>
/// What a portable PDB knows of a source file: its checksum and, where the build embedded it, its text (Portable PDB
/// v1.0, "Document Table" and "Embedded Source"). Any thread.
/// </summary>
public sealed class PdbSource
{
    private const int MostBytes = 64 << 20;

    private static readonly Guid s_embedded = new("0E8A571B-6926-466E-B4AD-8AB04611F5FE");
    private static readonly Guid s_sha1 = new("FF1816EC-AA5E-4D10-87F7-6F4963833460");
    private static readonly Guid s_sha256 = new("8829D00F-11B8-4213-878B-770E8597AC16");

    private readonly Guid _algorithm;
    private readonly byte[] _checksum;

    private PdbSource(Guid algorithm, byte[] checksum, byte[]? text)
    {
        _algorithm = algorithm;
        _checksum = checksum;
        Text = text;
    }

    /// <summary>The embedded text as it was built; null when there is none.</summary>
    public byte[]? Text { get; }

    /// <summary>Finds a source file in the PDB of an assembly, beside it or embedded.</summary>
    /// <param name="assembly">The assembly's path.</param>
    /// <param name="document">The source's path as the PDB spells it.</param>
    /// <returns>Null when there is no such PDB or document, or it cannot be read.</returns>
    public static PdbSource? Find(string assembly, string document)
    {
        try
        {
            if (!File.Exists(assembly))
            {
                return null;
            }

            using var image = new PEReader(File.OpenRead(assembly));
            image.TryOpenAssociatedPortablePdb(
                assembly, name => File.Exists(name) ? File.OpenRead(name) : null, out var provider, out _);
            using (provider)
            {
                return provider is null ? null : Find(provider.GetMetadataReader(), document);
            }
        }
        catch (Exception error) when (error
            is BadImageFormatException or IOException or UnauthorizedAccessException or InvalidOperationException
            or ArgumentException or InvalidDataException)
        {
            return null;
        }
    }

    /// <summary>Whether a text is the one that was built; null when the PDB has no checksum that is known here.</summary>
    /// <param name="content">Every byte of the file.</param>
    public bool? IsOf(byte[] content)
    {
#pragma warning disable CA5350 // The compiler chose it, and nothing but a change is looked for.
        var actual = _algorithm == s_sha256 ? SHA256.HashData(content) : _algorithm == s_sha1 ? SHA1.HashData(content) : null;
#pragma warning restore CA5350
        return actual?.AsSpan().SequenceEqual(_checksum);
    }

    private static PdbSource? Find(MetadataReader pdb, string name)
    {
        foreach (var handle in pdb.Documents)
        {
            var document = pdb.GetDocument(handle);
            if (pdb.StringComparer.Equals(document.Name, name))
            {
                return new PdbSource(
                    pdb.GetGuid(document.HashAlgorithm), pdb.GetBlobBytes(document.Hash), EmbeddedText(pdb, handle));
            }
        }

        return null;
    }

    // Four bytes of length and then the text, deflated; a length of 0: the text as it is.
    private static byte[]? EmbeddedText(MetadataReader pdb, DocumentHandle document)
    {
        foreach (var handle in pdb.GetCustomDebugInformation(document))
        {
            var information = pdb.GetCustomDebugInformation(handle);
            if (pdb.GetGuid(information.Kind) != s_embedded)
            {
                continue;
            }

            var blob = pdb.GetBlobBytes(information.Value);
            var length = BinaryPrimitives.ReadInt32LittleEndian(blob);
            if (length is < 0 or > MostBytes)
            {
                return null;
            }

            return length == 0 ? blob[4..] : Inflate(blob, length);
        }

        return null;
    }

    private static byte[] Inflate(byte[] blob, int length)
    {
        var text = new byte[length];
        using var stream = new DeflateStream(new MemoryStream(blob, 4, blob.Length - 4), CompressionMode.Decompress);
        stream.ReadExactly(text);
        return text;
    }
}
