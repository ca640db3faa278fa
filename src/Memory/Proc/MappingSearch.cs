namespace NativeHeap.Memory.Proc;

/// <summary>Finds mappings by addresses; of mappings by rising address, as the kernel lists them.</summary>
public static class MappingSearch
{
    /// <summary>The first mapping that ends behind an address.</summary>
    /// <returns>Its place; the count of mappings when there is none.</returns>
    public static int FirstBehind(this IReadOnlyList<MemoryMapping> mappings, ulong address)
    {
        ArgumentNullException.ThrowIfNull(mappings);
        int low = 0, high = mappings.Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = mappings[middle].End <= address ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    /// <summary>The mapping that an address lies in; null when there is none.</summary>
    public static MemoryMapping? Of(this IReadOnlyList<MemoryMapping> mappings, ulong address)
    {
        ArgumentNullException.ThrowIfNull(mappings);
        var place = mappings.FirstBehind(address);
        return place < mappings.Count && mappings[place].Start <= address ? mappings[place] : null;
    }
}
