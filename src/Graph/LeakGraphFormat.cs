using System.IO.Compression;
using System.Text;

namespace NativeHeap.Graph;

/// <summary>
/// A <see cref="LeakGraph"/> as a trace keeps it: numbers as LEB128 (7 bits a byte, low ones first), deflated. First a
/// version; notes; what is held and what was not freed, by stack; the blocks, with addresses as differences; for each
/// block the number of its pointers, and where they lead; since version 2 the types: their names, and which the blocks and
/// then the groups that are held have (0: none, else the name's number from 1). What is read is checked: it may come from anywhere.
/// </summary>
public static class LeakGraphFormat
{
    private const int Version = 2;
    private const int TypesSince = 2;
    private const int MostItems = 1 << 28;
    private const int MostNoteBytes = 1 << 16;

    /// <summary>Writes a graph.</summary>
    public static byte[] Write(LeakGraph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        using var bytes = new MemoryStream();
        using (var deflate = new DeflateStream(bytes, CompressionLevel.Fastest))
        using (var writer = new BinaryWriter(deflate))
        {
            writer.Write7BitEncodedInt(Version);
            writer.Write7BitEncodedInt(graph.Notes.Count);
            foreach (var note in graph.Notes)
            {
                writer.Write(note);
            }

            WriteHeld(writer, graph.Reachable);
            WriteHeld(writer, graph.NotFreed);
            writer.Write(graph.NotFreedIsLeaked);
            WriteBlocks(writer, graph.Blocks);
            for (var i = 0; i < graph.Blocks.Count; i++)
            {
                writer.Write7BitEncodedInt(graph.FirstTarget[i + 1] - graph.FirstTarget[i]);
            }

            foreach (var target in graph.Targets)
            {
                writer.Write7BitEncodedInt(target);
            }

            WriteTypes(writer, [.. graph.Blocks.Select(block => block.Type), .. graph.Reachable.Select(group => group.Type)]);
        }

        return bytes.ToArray();
    }

    /// <summary>Reads a graph.</summary>
    /// <param name="bytes">Anything.</param>
    /// <param name="stackCount">Stacks are numbered from 1 to this; 0 is a stack that is not known.</param>
    /// <exception cref="InvalidDataException">It is none.</exception>
    public static LeakGraph Read(ReadOnlyMemory<byte> bytes, int stackCount)
    {
        try
        {
            using var reader = new BinaryReader(
                new DeflateStream(new MemoryStream(bytes.ToArray()), CompressionMode.Decompress), Encoding.UTF8);
            return Read(reader, stackCount);
        }
        catch (Exception error) when (error is EndOfStreamException or FormatException or IOException or ArgumentException)
        {
            throw new InvalidDataException("a heap-check's graph is damaged", error);
        }
    }

    private static LeakGraph Read(BinaryReader reader, int stackCount)
    {
        var version = reader.Read7BitEncodedInt();
        if (version is < 1 or > Version)
        {
            throw new InvalidDataException("a heap-check's graph is of another version");
        }

        var notes = new string[Count(reader)];
        for (var i = 0; i < notes.Length; i++)
        {
            notes[i] = ReadNote(reader);
        }

        var reachable = ReadHeld(reader, stackCount);
        var notFreed = ReadHeld(reader, stackCount);
        var isLeaked = reader.ReadBoolean();
        var blocks = ReadBlocks(reader, stackCount);
        var first = new List<int> { 0 };
        for (var i = 0; i < blocks.Count; i++)
        {
            first.Add(Checked(first[i] + (long)Number(reader, MostItems)));
        }

        var targets = new List<int>();
        while (targets.Count < first[^1])
        {
            targets.Add(Number(reader, blocks.Count - 1));
        }

        if (version >= TypesSince)
        {
            ReadTypes(reader, blocks, reachable);
        }

        return new LeakGraph
        {
            Blocks = blocks,
            FirstTarget = first,
            Targets = targets,
            Reachable = reachable,
            NotFreed = notFreed,
            NotFreedIsLeaked = isLeaked,
            Notes = notes,
        };
    }

    private static void WriteTypes(BinaryWriter writer, IReadOnlyList<string?> types)
    {
        var numbers = types.OfType<string>().Distinct(StringComparer.Ordinal)
            .Select((name, i) => (name, i)).ToDictionary(pair => pair.name, pair => pair.i + 1, StringComparer.Ordinal);
        writer.Write7BitEncodedInt(numbers.Count);
        foreach (var name in numbers.Keys)
        {
            writer.Write(name);
        }

        foreach (var type in numbers.Count == 0 ? [] : types)
        {
            writer.Write7BitEncodedInt(type is null ? 0 : numbers[type]);
        }
    }

    private static void ReadTypes(BinaryReader reader, List<LeakBlock> blocks, List<HeldBlocks> reachable)
    {
        var names = new string?[Count(reader) + 1];
        for (var i = 1; i < names.Length; i++)
        {
            names[i] = ReadNote(reader);
        }

        for (var i = 0; i < blocks.Count && names.Length > 1; i++)
        {
            blocks[i] = blocks[i] with { Type = names[Number(reader, names.Length - 1)] };
        }

        for (var i = 0; i < reachable.Count && names.Length > 1; i++)
        {
            reachable[i] = reachable[i] with { Type = names[Number(reader, names.Length - 1)] };
        }
    }

    private static void WriteHeld(BinaryWriter writer, IReadOnlyList<HeldBlocks> held)
    {
        writer.Write7BitEncodedInt(held.Count);
        foreach (var (stack, bytes, blocks, address) in held)
        {
            writer.Write7BitEncodedInt(stack);
            writer.Write7BitEncodedInt64(bytes);
            writer.Write7BitEncodedInt64(blocks);
            writer.Write7BitEncodedInt64((long)address);
        }
    }

    private static List<HeldBlocks> ReadHeld(BinaryReader reader, int stackCount)
    {
        var held = new List<HeldBlocks>();
        for (var count = Count(reader); count > 0; count--)
        {
            held.Add(new HeldBlocks(
                Number(reader, stackCount), Size(reader), Size(reader), (ulong)reader.Read7BitEncodedInt64()));
        }

        return held;
    }

    private static void WriteBlocks(BinaryWriter writer, IReadOnlyList<LeakBlock> blocks)
    {
        writer.Write7BitEncodedInt(blocks.Count);
        var before = 0UL;
        foreach (var block in blocks)
        {
            writer.Write7BitEncodedInt64((long)(block.Address - before));
            writer.Write7BitEncodedInt64((long)block.Bytes);
            writer.Write7BitEncodedInt(block.Stack);
            writer.Write((byte)((block.IsPossible ? 1 : 0) | (block.PointedFrom is null ? 0 : 2)));
            if (block.PointedFrom is { } from)
            {
                writer.Write7BitEncodedInt64((long)from);
            }

            before = block.Address;
        }
    }

    private static List<LeakBlock> ReadBlocks(BinaryReader reader, int stackCount)
    {
        var blocks = new List<LeakBlock>();
        var address = 0UL;
        for (var count = Count(reader); count > 0; count--)
        {
            address += (ulong)reader.Read7BitEncodedInt64();
            var bytes = (ulong)Size(reader);
            var stack = Number(reader, stackCount);
            var flags = reader.ReadByte();
            ulong? from = (flags & 2) == 0 ? null : (ulong)reader.Read7BitEncodedInt64();
            blocks.Add(new LeakBlock(address, bytes, stack, (flags & 1) != 0, from));
        }

        return blocks;
    }

    private static string ReadNote(BinaryReader reader)
    {
        var bytes = new byte[Number(reader, MostNoteBytes)];
        reader.BaseStream.ReadExactly(bytes);
        return Encoding.UTF8.GetString(bytes);
    }

    private static int Count(BinaryReader reader) => Number(reader, MostItems);

    private static int Number(BinaryReader reader, int most)
    {
        var number = reader.Read7BitEncodedInt();
        return number >= 0 && number <= most ? number : throw new FormatException("a number is out of range");
    }

    private static long Size(BinaryReader reader)
    {
        var size = reader.Read7BitEncodedInt64();
        return size is >= 0 and <= long.MaxValue / 4 ? size : throw new FormatException("a size is out of range");
    }

    private static int Checked(long sum) => sum <= MostItems ? (int)sum : throw new FormatException("too many pointers");
}
