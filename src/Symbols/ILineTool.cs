namespace NativeHeap.Symbols;

/// <summary>A program that reads debug information.</summary>
internal interface ILineTool : IDisposable
{
    /// <summary>What it is called.</summary>
    string Name { get; }

    /// <summary>False when it turned out not to work at all.</summary>
    bool IsUsable { get; }

    /// <summary>Fills in answers; what it cannot answer stays null.</summary>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    void Answer(IReadOnlyList<ModuleQuery> queries, CancellationToken cancellation);
}
