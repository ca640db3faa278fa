using NativeHeap.Collect.Tests.Recordings;
using NativeHeap.Wire;

namespace NativeHeap.Collect.Tests.Raw;

/// <summary>Plays a shim without a collector: what its threads write goes to a raw file.</summary>
internal sealed unsafe class RawProgram
{
    private const int HeaderBytes = 4096;
    private const int RingBytes = 4096;

    private static readonly RegionShape s_shape = new(8, 1, 8, 32, 4096, 64);

    private readonly List<byte[]> _chunks = [];

    public RawProgram()
    {
        Target = new Target(new TargetMemory(s_shape, RingBytes));
        Target.Drain = SpillAll;
    }

    public Target Target { get; }

    private static int ChunkBytes => RawChunkRecord.StatedSize + RingBytes;

    /// <summary>Writes the file as it is now.</summary>
    public byte[] ToBytes(ulong startNs = Target.StartNs, uint pid = 100)
    {
        var region = new RegionLayout(s_shape, RingBytes).RegionBytes;
        RawFileRecord header = default;
        header.Magic = WireConstants.RawMagic;
        header.Version = WireConstants.WireVersion;
        header.Pid = pid;
        header.ParentPid = 1;
        header.ChunkStride = (uint)ChunkBytes;
        header.RegionOffset = HeaderBytes;
        header.RegionBytes = region;
        header.ChunkOffset = HeaderBytes + region;
        header.ChunkCapacity = (uint)_chunks.Count;
        header.ChunkCount = (uint)_chunks.Count + 1; // one that found no room
        header.StartNs = startNs;
        header.StartUnixNs = 5;
        "program\0-x\0"u8.CopyTo(header.Command);
        header.CommandLength = 11;
        return
        [
            .. new Span<byte>(&header, HeaderBytes),
            .. new Span<byte>(Target.View.Header, (int)region),
            .. _chunks.SelectMany(chunk => chunk),
        ];
    }

    /// <summary>Moves what is in a ring to the file.</summary>
    public void Spill(int index, bool isKilled = false)
    {
        var ring = Target.View.RingAt(index);
        var chunk = new byte[ChunkBytes];
        var bytes = (int)(ring->Head - ring->Tail);
        var data = new Span<byte>((byte*)Target.View.Header + ring->DataOffset, RingBytes);
        for (var i = 0; i < bytes; i++)
        {
            chunk[RawChunkRecord.StatedSize + i] = data[(int)((ring->Tail + (ulong)i) % RingBytes)];
        }
        fixed (byte* start = chunk)
        {
            *(RawChunkRecord*)start = new RawChunkRecord { Position = ring->Tail, Ring = (uint)index, Bytes = (uint)bytes };
        }
        _chunks.Add(chunk);
        ring->Tail = isKilled ? ring->Tail : ring->Head;
    }

    /// <summary>A chunk that was handed out before the process was killed.</summary>
    public void LeaveUnfinished() => _chunks.Add(new byte[ChunkBytes]);

    private void SpillAll()
    {
        for (var i = 0; i < s_shape.RingCount; i++)
        {
            Spill(i);
        }
    }
}
