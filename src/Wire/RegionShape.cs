namespace NativeHeap.Wire;

/// <summary>How much of everything a region holds. Immutable: the limits of every index that comes out of it.</summary>
/// <param name="RingCount">Rings, shared ones included; 1 to <see cref="MaxRings"/>.</param>
/// <param name="SharedRingCount">The last ones, used under their lock; at most <paramref name="RingCount"/>.</param>
/// <param name="SlotCount">Processes of a fork tree; 1 to <see cref="MaxSlots"/>.</param>
/// <param name="ModuleCapacity">Module records; at most <see cref="MaxModules"/>.</param>
/// <param name="NodeCapacity">Nodes of the calling-context tree; 1 to <see cref="MaxNodes"/>.</param>
/// <param name="ReusedCapacity">Records of reused code; at most <see cref="MaxReused"/>.</param>
public sealed record RegionShape(
    int RingCount, int SharedRingCount, int SlotCount, int ModuleCapacity, int NodeCapacity, int ReusedCapacity)
{
    /// <summary>Most rings of a region.</summary>
    public const int MaxRings = 65_536;

    /// <summary>Most process slots of a region.</summary>
    public const int MaxSlots = 1_048_576;

    /// <summary>Most modules of a region.</summary>
    public const int MaxModules = 1_048_576;

    /// <summary>Most nodes of a region.</summary>
    public const int MaxNodes = 1 << 28;

    /// <summary>Most records of reused code of a region.</summary>
    public const int MaxReused = 1 << 24;

    /// <summary>Throws unless every number is in its range.</summary>
    /// <exception cref="RegionFormatException">One is not.</exception>
    public void Check()
    {
        Check(RingCount, 1, MaxRings, "ring_count");
        Check(SharedRingCount, 0, RingCount, "shared_ring_count");
        Check(SlotCount, 1, MaxSlots, "slot_count");
        Check(ModuleCapacity, 0, MaxModules, "module_capacity");
        Check(NodeCapacity, 1, MaxNodes, "node_capacity");
        Check(ReusedCapacity, 0, MaxReused, "reused_capacity");
    }

    private static void Check(int value, int least, int most, string name)
    {
        if (value < least || value > most)
        {
            throw new RegionFormatException($"{name} {value} is not within {least} to {most}");
        }
    }
}
