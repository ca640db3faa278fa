using NativeHeap.Collect;
using NativeHeap.Symbols;

namespace NativeHeap.Cli;

/// <summary>Names the functions of a recording before its trace is closed, so that it can be read where the binaries are
/// not.</summary>
internal static class TraceNames
{
    /// <summary>Names what can be named. Who does not want to wait gets the names that were found until then.</summary>
    /// <param name="recording">Finished, and not closed.</param>
    /// <param name="nameManaged">Names code of .NET, and returns remarks.</param>
    /// <param name="cancellation">Cancelled when nobody wants to wait.</param>
    public static void Complete(
        Recording recording, Func<CancellationToken, IReadOnlyList<string>> nameManaged, CancellationToken cancellation)
    {
        foreach (var note in nameManaged(cancellation))
        {
            Messages.Warn(note);
        }
        using var symbolizer = new NativeSymbolizer();
        try
        {
            new TraceSymbolizer(symbolizer).Complete(recording.Locations, cancellation);
        }
        catch (OperationCanceledException)
        {
            Messages.Say("not all functions have been named; nativeheap report does it where the binaries are");
        }
        foreach (var note in symbolizer.Notes)
        {
            Messages.Warn(note);
        }
    }
}
