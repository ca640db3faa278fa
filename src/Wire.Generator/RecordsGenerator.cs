using Microsoft.CodeAnalysis;

namespace NativeHeap.Wire.Generator;

/// <summary>Writes the C# side of <c>native/wire/records.def</c>.</summary>
[Generator]
public sealed class RecordsGenerator : IIncrementalGenerator
{
    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
    }
}
