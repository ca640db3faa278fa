namespace NativeHeap.Symbols;

/// <summary>What is asked of one binary.</summary>
/// <param name="symbols">The binary's files.</param>
/// <param name="addresses">ELF virtual addresses inside the instructions to be named, rising, each once.</param>
internal sealed class ModuleQuery(ModuleSymbols symbols, ulong[] addresses)
{
    /// <summary>The most functions that are inlined at one place; a tool that gives more is not believed.</summary>
    internal const int MostFrames = 512;

    internal ModuleSymbols Symbols { get; } = symbols;

    internal ulong[] Addresses { get; } = addresses;

    /// <summary>For each address its functions, the innermost first; null when no tool has answered.</summary>
    internal RawFrame[]?[] Answers { get; } = new RawFrame[addresses.Length][];

    /// <summary>A query about some of the addresses.</summary>
    internal ModuleQuery Slice(int start, int count) => new(Symbols, Addresses[start..(start + count)]);
}
